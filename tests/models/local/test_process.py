"""A model in a process of its own: the same replies, and whatever happens in there is a typed error out here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.models.local import LocalModel, LocalReply, pipe
from personal_ai.models.local.model import NotEnoughMemoryError
from personal_ai.models.local.process import LocalCrashError, LocalProcess
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape

PROMPT = [5, 6, 7]
WARM = Sampling(temperature=1.5, seed=11)


@pytest.fixture
def package(imported: Importer) -> ModelPackage:
    return imported(Shape(), "int8")[1]


@pytest.fixture
def process(package: ModelPackage) -> Iterator[LocalProcess]:
    process = LocalProcess(package)
    yield process
    process.close()


def generate(model: LocalProcess | LocalModel, count: int = 12, tokens: list[int] | None = None) -> LocalReply:
    heard: list[int] = []
    reply = model.generate(tokens or PROMPT, max_tokens=count, sampling=WARM, on_token=heard.append, cancel=Cancel())
    assert tuple(heard) == reply.tokens
    return reply


def pid_of(process: LocalProcess) -> int:
    assert process.pid is not None
    return process.pid


def test_the_same_replies_as_without_it(process: LocalProcess, package: ModelPackage) -> None:
    process.warm()
    model = LocalModel(package)
    assert generate(process) == generate(model)
    pid = pid_of(process)
    assert generate(process, 5, [9, 8]) == generate(model, 5, [9, 8])
    assert pid_of(process) == pid, "one process answers all, with the cache of the last context"


def test_its_errors_come_over(process: LocalProcess) -> None:
    with pytest.raises(BadInputError, match="tokens that it does not have"):
        generate(process, tokens=[100_000])
    assert generate(process, 3).tokens, "it goes on"


def test_a_cancel_is_heard_and_the_next_answer_is_whole(process: LocalProcess, package: ModelPackage) -> None:
    cancel, heard = Cancel(), []

    def stop(token: int) -> None:
        heard.append(token)
        if len(heard) == 3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        process.generate(PROMPT, max_tokens=100, sampling=WARM, on_token=stop, cancel=cancel)
    assert len(heard) == 3
    assert generate(process, 20) == generate(LocalModel(package), 20)


def test_an_error_of_the_listener_stops_it(process: LocalProcess) -> None:
    def fail(token: int) -> None:
        raise KeyError(token)

    with pytest.raises(KeyError):
        process.generate(PROMPT, max_tokens=100, sampling=WARM, on_token=fail, cancel=Cancel())
    assert len(generate(process, 4).tokens) == 4


def test_a_crash_is_an_error_and_the_next_question_starts_anew(process: LocalProcess) -> None:
    expected = generate(process)

    def crash(_: int) -> None:
        os.kill(pid_of(process), signal.SIGKILL)

    with pytest.raises(LocalCrashError, match="memory ran out") as caught:
        process.generate(PROMPT, max_tokens=100, sampling=WARM, on_token=crash, cancel=Cancel())
    assert caught.value.not_lost and caught.value.next_step
    assert generate(process) == expected


def test_a_damaged_model_is_told_when_it_is_asked(package: ModelPackage, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package.folder, copy)
    damaged = ModelPackage.open(copy)
    onnx = copy / "model.onnx"
    onnx.write_bytes(bytes(onnx.stat().st_size))
    process = LocalProcess(damaged)
    process.warm()
    with pytest.raises(DamagedFileError, match="damaged"):
        generate(process)
    with pytest.raises(DamagedFileError, match="damaged"):
        process.devices(Cancel())
    process.close()


def test_nothing_that_was_said_is_in_its_arguments(process: LocalProcess, package: ModelPackage) -> None:
    generate(process)
    seen = Path(f"/proc/{pid_of(process)}/cmdline").read_bytes()
    assert b"models.local.worker" in seen
    assert str(package.folder).encode() not in seen


_ORPHAN = """
import os, signal, sys
from pathlib import Path
from personal_ai.models.local.process import LocalProcess
from personal_ai.models.package import ModelPackage
process = LocalProcess(ModelPackage.open(Path(sys.argv[1])))
process.warm()
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_dies_with_the_program(package: ModelPackage) -> None:
    command = [sys.executable, "-c", _ORPHAN, str(package.folder)]
    parent = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert parent.returncode == -signal.SIGKILL
    deadline_s = time.monotonic() + 30
    while _alive(int(parent.stdout)):
        assert time.monotonic() < deadline_s, "the process outlives the program"
        time.sleep(0.02)


def _alive(pid: int) -> bool:
    """Whether the process runs; one that nobody waited for yet does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"


def test_it_says_what_it_runs_on(process: LocalProcess) -> None:
    verdicts = process.devices(Cancel())
    assert [verdict.label for verdict in verdicts if verdict.chosen] == ["processor, own kernel"]
    assert all(verdict.reason for verdict in verdicts)
    assert process.devices(Cancel()) == verdicts
    assert generate(process, 2).tokens


def test_closing_ends_it_and_may_come_twice(process: LocalProcess) -> None:
    process.warm()
    running = process._running
    assert running is not None
    process.close()
    process.close()
    assert running._process.returncode == 0


def test_out_of_memory_is_named(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    class Session:
        def step(self, *_: object) -> None:
            raise RuntimeError("Failed to allocate memory for requested buffer of size 17")

    model = LocalModel(package)
    model._session = Session()  # type: ignore[assignment]
    with pytest.raises(NotEnoughMemoryError) as caught:
        model.logits([1])
    again = pipe.to_error(pipe.from_error(caught.value))
    assert (type(again), str(again)) == (NotEnoughMemoryError, str(caught.value))


def test_an_error_of_a_kind_that_does_not_cross_is_told_as_the_nearest() -> None:
    class Other(BadInputError):
        pass

    again = pipe.to_error(pipe.from_error(Other("so", not_lost="this", next_step="that")))
    assert (type(again), again.what, again.not_lost, again.next_step) == (BadInputError, "so", "this", "that")
    assert isinstance(again, UserFacingError)
