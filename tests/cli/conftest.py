"""A profile with a vault and a small random model, driven as a user would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from personal_ai.cli.main import main
from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.identities import vault_file
from personal_ai.identities.vault_file import ScryptCost
from tests.support.checkpoints import Shape, write_checkpoint

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Result:
    """What a command left behind."""

    exit_code: int
    output: str
    errors: str


Run = Callable[..., Result]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    def run_command(*arguments: str) -> Result:
        exit_code = main(arguments)
        output, errors = capfd.readouterr()
        return Result(exit_code, output, errors)

    return run_command


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    return str(path)


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that open the vault dozens of times."""
    monkeypatch.setattr(vault_file.PasswordLock, "fresh", classmethod(lambda cls, _: cls(bytes(16), ScryptCost(n=16))))


@pytest.fixture
def shape() -> Shape:
    """Of the model `small`; a test may parametrize it."""
    return Shape()


@pytest.fixture
def profile(run: Run, own_home: Path, password_file: str, tmp_path: Path, shape: Shape) -> Iterator[Paths]:
    """A vault, and the model `small` in the library; its practice network is stopped at the end."""
    paths = Paths(own_home)
    assert run("vault", "create", "--password-file", password_file).exit_code == 0
    checkpoint = write_checkpoint(tmp_path / "checkpoint", shape)
    assert run("model", "import", str(checkpoint), "--name", "small").exit_code == 0
    yield paths
    PracticeNetwork(paths.practice_network).stop()
