"""Whether this computer and the canister say the same: `python -m tests.conformance.parity [--json]`.

Two trained checkpoints of different families (golden/) at int8 read 200 prompts of a text that was held out, each side
token by token with the same text before it: this computer through the session that answers here, the canister's engine
in its Wasm. Over all positions of all prompts:

- greedy_agreement: share of positions with the same most likely token
- max_logit_difference: the greatest difference of any logit
- disagreement_lead_max: where they disagree, the most by which the canister's token leads this computer's in the
  canister's own logits, a tie being 0: how much a choice depends on what differs
- exact_agreement, exact_max_logit_difference: the canister against onnxruntime without its rounding of activations to 8
  bits (its optimiser off) and with keys and values rounded as the canister keeps them, on every tenth prompt. It
  tells where the differences come from.
- long_prompt_agreement: the same share where this computer reads 96 tokens at once and goes on from there token by
  token, for a fourth as many prompts

Passes with agreements of at least AGREEMENT_MIN.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import wasmtime
from tokenizers import Tokenizer

from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.local.session import open_session
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness
from tests.conformance.models import Logits, OnnxSteps, write_onnx
from tests.conformance.quantisation import CHECKPOINTS, GOLDEN
from tests.support.rounded_cache import as_kept

PROMPTS: Final = 200
PROMPT_TOKENS: Final = 40
AGREEMENT_MIN: Final = 0.99
LONG_PROMPT_TOKENS: Final = 112
_AT_ONCE: Final = 96
_EXACT_EVERY: Final = 10
_LONG_EVERY: Final = 4

Forward = Callable[[Sequence[int], int], Logits]


@dataclass(frozen=True)
class Parity:
    """What the module's text says, of one checkpoint or of all."""

    greedy_agreement: float
    positions: int
    prompts: int
    max_logit_difference: float
    disagreement_lead_max: float
    exact_agreement: float
    exact_max_logit_difference: float
    long_prompt_agreement: float


@dataclass(frozen=True)
class Sides:
    """The same weights three times."""

    canister: Forward
    local: Forward
    exact: Forward


def open_sides(checkpoint: Path, folder: Path, harness: wasmtime.Module) -> Sides:
    """Imports and compiles the checkpoint in the new `folder`."""
    decoder = write_onnx(checkpoint, folder, "int8")
    session, _ = open_session(decoder, folder / MODEL_FILE, threads=1)
    compile_onnx(folder / MODEL_FILE, folder / "program", end_tokens=(), context_length=decoder.context_length)
    kept = as_kept(folder / MODEL_FILE, decoder, "int8")
    return Sides(
        canister=WasmEngine(harness, (folder / "program").read_bytes()).forward,
        local=lambda tokens, past: session.step(tokens, past)[0].copy(),
        exact=OnnxSteps(folder, decoder, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, file=kept.name).forward,
    )


def prompts_of(checkpoint: Path, count: int, length: int = PROMPT_TOKENS) -> list[list[int]]:
    """Pieces of the held-out text at equal distances. They may overlap, but not with the same text before."""
    tokenizer = Tokenizer.from_file(str(checkpoint / "tokenizer.json"))
    ids = tokenizer.encode((checkpoint / "text.txt").read_text(encoding="utf-8")).ids
    starts = np.linspace(0, len(ids) - length, count).astype(int)
    return [ids[start : start + length] for start in starts]


def compare(sides: Sides, prompts: Sequence[Sequence[int]], long_prompts: Sequence[Sequence[int]]) -> Parity:
    """Reads every prompt on both sides."""
    canister = [_stepwise(sides.canister, prompt) for prompt in prompts]
    local = [_stepwise(sides.local, prompt) for prompt in prompts]
    exact = [_stepwise(sides.exact, prompt) for prompt in prompts[::_EXACT_EVERY]]
    ours, theirs = np.concatenate(local), np.concatenate(canister)
    few = np.concatenate(canister[::_EXACT_EVERY])
    rows, chosen = np.arange(len(theirs)), ours.argmax(-1)
    leads = theirs.max(-1) - theirs[rows, chosen]
    return Parity(
        greedy_agreement=_agreement(ours, theirs),
        positions=len(theirs),
        prompts=len(prompts),
        max_logit_difference=float(np.abs(ours - theirs).max()),
        disagreement_lead_max=float(leads.max()),
        exact_agreement=_agreement(np.concatenate(exact), few),
        exact_max_logit_difference=float(np.abs(np.concatenate(exact) - few).max()),
        long_prompt_agreement=_agreement(
            np.concatenate([_at_once(sides.local, prompt) for prompt in long_prompts]),
            np.concatenate([_stepwise(sides.canister, prompt)[_AT_ONCE - 1 :] for prompt in long_prompts]),
        ),
    )


def _agreement(ours: Logits, theirs: Logits) -> float:
    return float(np.mean(ours.argmax(-1) == theirs.argmax(-1)))


def _stepwise(forward: Forward, prompt: Sequence[int]) -> Logits:
    """[positions, vocabulary], token by token."""
    return np.stack([forward([token], past) for past, token in enumerate(prompt)])


def _at_once(forward: Forward, prompt: Sequence[int]) -> Logits:
    """The rows of `_stepwise` from the last token on of those that are read at once."""
    first = forward(prompt[:_AT_ONCE], 0)
    return np.stack([first, *(forward([token], past) for past, token in enumerate(prompt[_AT_ONCE:], _AT_ONCE))])


def together(parts: Sequence[Parity]) -> Parity:
    """Of all checkpoints: shares weighted by positions, the greatest of what is greatest."""
    weights = [part.positions for part in parts]
    shares: dict[str, Any] = {
        name: float(np.average([getattr(part, name) for part in parts], weights=weights))
        for name in ("greedy_agreement", "exact_agreement", "long_prompt_agreement")
    }
    sums: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in ("positions", "prompts")}
    greatest: dict[str, Any] = {
        name: max(getattr(part, name) for part in parts)
        for name in ("max_logit_difference", "disagreement_lead_max", "exact_max_logit_difference")
    }
    return Parity(**shares, **sums, **greatest)


def run(prompt_count: int) -> dict[str, Parity]:
    """By checkpoint, in files that are gone afterwards."""
    with tempfile.TemporaryDirectory() as name:
        harness = compile_harness(Path(name) / "harness.wasm")
        return {
            checkpoint: compare(
                open_sides(GOLDEN / checkpoint, Path(name) / checkpoint, harness),
                prompts_of(GOLDEN / checkpoint, prompt_count),
                prompts_of(GOLDEN / checkpoint, -(-prompt_count // _LONG_EVERY), LONG_PROMPT_TOKENS),
            )
            for checkpoint in CHECKPOINTS
        }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Whether this computer and the canister say the same.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--prompts", type=int, default=PROMPTS, help="of each checkpoint")
    options = parser.parse_args(arguments)
    parts = run(options.prompts)
    whole = together(list(parts.values()))
    if options.json:
        result: dict[str, Any] = asdict(whole) | {"checkpoints": {name: asdict(part) for name, part in parts.items()}}
        print(json.dumps(result))
    else:
        for name, part in {**parts, "together": whole}.items():
            print(name, " ".join(f"{key}={value}" for key, value in asdict(part).items()))
    return 0 if min(whole.greedy_agreement, whole.long_prompt_agreement) >= AGREEMENT_MIN else 1


if __name__ == "__main__":
    sys.exit(main())
