"""The instructions that are told before a message is sent are those that the engine takes, within 5 %.

After a change to the engine: `python -m tests.benchmarks.fit --calibrate`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from personal_ai.canister.instructions import Pace, engine_costs, pace
from personal_ai.compiler.compile import SEQUENCE_MAX, compile_onnx
from personal_ai.compiler.foretelling import foretell
from personal_ai.ic.profile import IC
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from tests.benchmarks.engine import counts_of
from tests.canister.engine.wasm_engine import WasmEngine
from tests.compiler.decoders import GPT2, LLAMA, write_decoder
from tests.compiler.unpacking import read_unpacked

TOLERANCE = 0.05
CONTEXT = 128
WIDE: dict[str, Any] = {
    "hidden_size": 320,
    "head_size": 64,
    "head_count": 4,
    "intermediate_size": 640,
    "vocabulary_size": 1000,
}
CASES: dict[str, tuple[Decoder, Quantisation]] = {
    "llama, int8": (replace(LLAMA, **WIDE), "int8"),
    "llama, int4": (replace(LLAMA, **WIDE), "int4"),
    "qwen3, f32": (replace(LLAMA, **WIDE, qk_norm=True), "f32"),
    "gpt2, int8": (replace(GPT2, **WIDE | {"key_value_head_count": 4}), "int8"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_engine_takes_what_was_told(tmp_path: Path, harness: wasmtime.Module, case: str) -> None:
    decoder, quantisation = CASES[case]
    path = write_decoder(tmp_path, decoder, quantisation)
    compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=256)
    engine = WasmEngine(harness, read_unpacked(tmp_path / "program"))
    told = pace(foretell(decoder, quantisation, context_length=256), IC, cached=CONTEXT, prompt=CONTEXT)
    prompt = 0
    for past in range(0, CONTEXT, SEQUENCE_MAX):
        last = past + SEQUENCE_MAX == CONTEXT
        (engine.forward if last else engine.absorb)([token % 7 for token in range(SEQUENCE_MAX)], past)
        prompt += engine.instructions
    engine.forward([1], CONTEXT)
    choice = engine_costs().choice[0] + engine_costs().choice[1] * decoder.vocabulary_size
    assert told.token - choice == pytest.approx(engine.instructions, rel=TOLERANCE)
    assert told.prompt_token == pytest.approx((prompt + choice) / CONTEXT, rel=TOLERANCE)


def test_whole_messages_take_what_was_told() -> None:
    decoder = replace(LLAMA, hidden_size=320, head_size=64, vocabulary_size=4096, context_length=512)
    counts = counts_of(decoder, "int8")
    told = pace(foretell(decoder, "int8", context_length=512), IC)
    token = (counts.three - counts.one) / 2
    message = counts.one - token + counts.pages * IC.limits.page_read_instructions
    assert told.token == pytest.approx(token, rel=TOLERANCE)
    pages = 16  # they are counted whole, which shows in a model as small as this
    assert told.message == pytest.approx(message, abs=pages * IC.limits.page_read_instructions)


def test_a_reply_takes_as_many_messages_as_it_must() -> None:
    slow = Pace(token=10.0, prompt_token=5.0, message=20.0)
    assert slow.tokens_per_message(100) == 8
    assert slow.reply_instructions(4, 7, limit=100) == 80 + 20
    assert slow.reply_instructions(4, 8, limit=100) == 90 + 40
    assert slow.tokens_per_message(10) == 0
