"""What guessing ahead is worth (`personal_ai.models.local.lookup`): a part of tests.benchmarks.local.

A reply is dictated: whatever the model would say, a known text is written. So every step costs what it costs, and the
guesses are as right as they are for that text, which follows 256 tokens of its own:

- prose: a story goes on, which repeats nothing on purpose
- code: a Python file goes on
- repetition: the story once more

accepted_share: right guesses to all. decode_ratio: tokens per second with guesses to those without, the median of
rounds in turn. same_choice: positions of prose where the starter model finds the same token most likely whether they
are read together, as guesses are, or one by one: onnxruntime adds up a product of several rows in another order.
step_costs: a step over so many tokens, with logits for each, to one over one token, in processor time.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np
from tokenizers import Tokenizer

from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import resource
from personal_ai.models import sampling
from personal_ai.models.library import starter
from personal_ai.models.local import LocalModel, model
from personal_ai.models.local.lookup import PromptLookup
from personal_ai.models.local.session import Session, open_session
from personal_ai.models.manifest import WORD_FILES
from personal_ai.models.package import ModelPackage
from personal_ai.models.runtime import share_threads
from personal_ai.models.sampling import Sampling

PROMPT: Final = 256
REPLY: Final = 96
TOGETHER: Final = 8  # as many as are read at once, at the most
WINDOW: Final = 128


def texts() -> dict[str, tuple[list[int], list[int]]]:
    """What was said, and what is to be said."""
    tokenizer = Tokenizer.from_file(str(starter().folder / WORD_FILES[0]))
    story = tokenizer.encode(resource("prose.txt").read_text(encoding="utf-8")).ids
    code = tokenizer.encode(Path(sampling.__file__).read_text(encoding="utf-8")).ids[-PROMPT - REPLY :]
    return {
        "prose": (story[:PROMPT], story[PROMPT : PROMPT + REPLY]),
        "code": (code[:PROMPT], code[PROMPT:]),
        "repetition": (story[:PROMPT], story[:REPLY]),
    }


def dictated(answering: LocalModel, prompt: list[int], reply: list[int], *, guess_ahead: bool) -> float:
    """Seconds per token of the reply after its first."""
    times: list[float] = []
    answering._guess_ahead = guess_ahead
    with mock.patch.object(model, "sample", lambda _, context, __: reply[len(context) - len(prompt)]):
        answering.generate(
            prompt,
            max_tokens=len(reply),
            sampling=Sampling(),
            on_token=lambda _: times.append(time.perf_counter()),
            cancel=Cancel(),
        )
    return (times[-1] - times[0]) / (len(times) - 1)


def worth(answering: LocalModel, rounds: int) -> list[dict[str, Any]]:
    """The figures of each text."""
    results = []
    for name, (prompt, reply) in texts().items():
        learnt: list[tuple[int, int]] = []
        with mock.patch.object(PromptLookup, "learn", _noting(learnt)):
            dictated(answering, prompt, reply, guess_ahead=True)
        guessed, right = (sum(column) for column in zip(*learnt, strict=True))
        pairs = [[dictated(answering, prompt, reply, guess_ahead=on) for on in (False, True)] for _ in range(rounds)]
        ratio = statistics.median(without / with_guesses for without, with_guesses in pairs)
        share = round(right / guessed, 3) if guessed else None
        results.append({"text": name, "guessed": guessed, "accepted_share": share, "decode_ratio": round(ratio, 3)})
    return results


def _noting(learnt: list[tuple[int, int]]) -> Any:
    learn = PromptLookup.learn

    def noting(self: PromptLookup, guessed: int, right: int) -> None:
        learnt.append((guessed, right))
        learn(self, guessed, right)

    return noting


def same_choice(session: Session, windows: int) -> float:
    """The share of positions of prose."""
    tokenizer = Tokenizer.from_file(str(starter().folder / WORD_FILES[0]))
    tokens = tokenizer.encode(resource("prose.txt").read_text(encoding="utf-8")).ids
    same = 0
    for window in range(windows):
        given = tokens[window * WINDOW : (window + 1) * WINDOW]
        singly = [int(session.step([token], past)[0].argmax()) for past, token in enumerate(given)]
        together: list[int] = []
        for past in range(0, WINDOW, TOGETHER):
            together += session.step(given[past : past + TOGETHER], past, TOGETHER).argmax(-1).tolist()
        same += int(np.equal(singly, together).sum())
    return round(same / (windows * WINDOW), 4)


def step_costs(session: Session, runs: int = 9) -> dict[int, float]:
    """By the tokens of the step."""
    best: dict[int, float] = {}
    for _ in range(runs):
        for count in (1, 2, 3, 4, 5, TOGETHER):
            start_s = time.process_time()
            session.step(list(range(count)), PROMPT, count)
            best[count] = min(best.get(count, float("inf")), time.process_time() - start_s)
    return {count: round(seconds / best[1], 2) for count, seconds in best.items()}


def measured(package: Path, threads: int, rounds: int) -> dict[str, Any]:
    """In a process of its own, whose threads are shared as they are where the program answers."""
    command = [sys.executable, "-m", "tests.benchmarks.guessing", str(package), str(threads), str(rounds)]
    result: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return result


def main(folder: str, threads: int, rounds: int) -> None:
    share_threads(threads)
    package = ModelPackage.open(Path(folder))
    answering = LocalModel(package)
    own, _ = open_session(starter().manifest.decoder, starter().onnx_path)
    result = {"texts": worth(answering, rounds), "same_choice": same_choice(own, windows=4)}
    answering.close()
    session, _ = open_session(package.manifest.decoder, package.onnx_path)
    print(json.dumps(result | {"step_costs": step_costs(session)}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
