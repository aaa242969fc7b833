"""How many instructions a reply will take, told from the program's steps before any message is sent.

Each step costs a few terms of its sizes, such as multiplications and rows. What a term costs was measured in the real
engine and lies in resources/engine-costs.json: `python -m tests.benchmarks.fit --calibrate` measures it again, and
tests hold the sum to within 5 % of the shipped module's own count.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from personal_ai.common.paths import resource
from personal_ai.compiler.compile import SEQUENCE_MAX, Foretold, ProgramSizes
from personal_ai.compiler.format import BLOCK, WIDE_GROUP, Code, Element
from personal_ai.compiler.ir import Step, Weight
from personal_ai.compiler.program_writer import weight_size_bytes
from personal_ai.compiler.sizes import round_up
from personal_ai.ic.profile import NetworkProfile

COSTS_FILE = "engine-costs.json"
CONTEXT = 256  # tokens that are cached while a reply is measured
_PAGE_SIZE_BYTES = 65_536
_SLICE_INSTRUCTIONS = 500_000_000  # after so many, loading goes on in another message

Terms = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EngineCosts:
    """Instructions per term of each kind of step: of a token alone, and of each token in full batches of a prompt.

    choice: instructions of choosing a token, fixed and per token of the vocabulary. message: fixed, of one `generate`.
    message_pages: 64 KiB pages that a message touches beside weights, activations and cache.
    install: instructions per byte of the module. upload: of receiving a chunk, fixed and per byte. activate: of
    loading a program, fixed, per byte of its file and per byte that it has more in the heap.
    unused_heap_bytes: by how much `heap_need` is above what the heap takes.
    """

    token: dict[str, Terms]
    prompt: dict[str, Terms]
    choice: Terms
    message: float
    message_pages: float
    install: float = 0.0
    upload: Terms = (0.0, 0.0)
    activate: Terms = (0.0, 0.0, 0.0)
    unused_heap_bytes: int = 0


@cache
def engine_costs() -> EngineCosts:
    """Those of the engine that comes with the program."""
    content = json.loads(resource(COSTS_FILE).read_text())
    return EngineCosts(
        token={kind: tuple(costs) for kind, costs in content["token"].items()},
        prompt={kind: tuple(costs) for kind, costs in content["prompt"].items()},
        choice=tuple(content["choice"]),
        message=content["message"],
        message_pages=content["message_pages"],
        install=content["install"],
        upload=tuple(content["upload"]),
        activate=tuple(content["activate"]),
        unused_heap_bytes=content["unused_heap_bytes"],
    )


def kind(step: Step, kept: Element = Element.F32) -> str:
    """The name under which a step's costs are kept. kept: of keys and values, which attention reads."""
    if step.code is Code.ATTENTION:
        return f"ATTENTION {kept.name}{' capped' if step.attributes['cap'] else ''}"
    source = next((item for item in step.inputs if isinstance(item, Weight)), None)
    if source is not None and step.code in (Code.MATMUL, Code.ROWS):
        return f"{step.code.name} {source.element.name}"
    return step.code.name


def terms(step: Step, rows_per_call: int, past: int) -> Terms:
    """What a call of `rows_per_call` tokens after `past` others multiplies the step's costs with."""
    rows = step.output.rows.at(rows_per_call, past)
    columns = step.output.columns
    if step.code is Code.MATMUL:
        weight = step.inputs[1]
        assert isinstance(weight, Weight)
        outputs = round_up(weight.rows, WIDE_GROUP)
        inputs = round_up(weight.columns, BLOCK)
        return rows * outputs * inputs, rows * outputs, rows * inputs, rows
    if step.code is Code.ATTENTION:
        return _attention_terms(step, rows, past)
    if step.code is Code.ROTARY:
        return rows * columns, rows * step.attributes["heads"], rows
    return rows * columns, rows


def _attention_terms(step: Step, rows: int, past: int) -> Terms:
    """Scores and mixes of each query head by positions and by blocks of them; what is kept of each key head."""
    heads, key_heads, size = (step.attributes[name] for name in ("heads", "key_heads", "head_size"))
    window = step.attributes["window"] or past + rows
    seen = [min(past + row + 1, window) for row in range(rows)]
    positions, blocks = sum(seen), sum(-(-count // BLOCK) for count in seen)
    per_head = heads * positions, heads * blocks, rows * heads
    return heads * size * positions, heads * size * blocks, *per_head, rows * heads * size, rows * key_heads * size


@dataclass(frozen=True, slots=True)
class Pace:
    """What a program costs, in instructions.

    token: of one of a reply. prompt_token: of one that is read, its share of the reply's first token included.
    message: of each message on top, for the pages that it touches and itself.
    """

    token: float
    prompt_token: float
    message: float

    def tokens_per_message(self, limit: int) -> int:
        """How many tokens of a reply one message makes with `limit` instructions."""
        return max(0, int((limit - self.message) / self.token))

    def messages(self, prompt_tokens: int, reply_tokens: int, limit: int) -> int:
        """How many messages of `limit` instructions a prompt and its reply need, at the least."""
        own = self._own(prompt_tokens, reply_tokens)
        return max(1, math.ceil(own / max(limit - self.message, 1)))

    def reply_instructions(self, prompt_tokens: int, reply_tokens: int, limit: int) -> int:
        """Of a prompt and its reply, what these messages add included."""
        own = self._own(prompt_tokens, reply_tokens)
        return round(own + self.messages(prompt_tokens, reply_tokens, limit) * self.message)

    def _own(self, prompt_tokens: int, reply_tokens: int) -> float:
        return prompt_tokens * self.prompt_token + max(reply_tokens - 1, 0) * self.token


def pace(
    program: Foretold,
    profile: NetworkProfile,
    *,
    cached: int = CONTEXT,
    prompt: int = CONTEXT,
    costs: EngineCosts | None = None,
) -> Pace:
    """Of tokens with `cached` others before them, and of prompts of `prompt` tokens. costs: of another engine."""
    costs = costs or engine_costs()
    steps, sizes = program.steps, program.sizes
    choice = costs.choice[0] + costs.choice[1] * sizes.vocabulary_size
    pages = _pages(steps, sizes, cached) + costs.message_pages
    return Pace(
        token=_cost(steps, costs.token, program.kept, 1, cached) + choice,
        prompt_token=(_prompt_cost(program, prompt, costs) + choice) / prompt,
        message=costs.message + pages * profile.limits.page_read_instructions,
    )


def _prompt_cost(program: Foretold, tokens: int, costs: EngineCosts) -> float:
    """Of all tokens in batches. The last computes the logits too; before it, what serves them alone is left out."""
    attentions = [index for index, step in enumerate(program.steps) if step.code is Code.ATTENTION]
    body = program.steps[: attentions[-1] + 1]
    *before, last = [(min(SEQUENCE_MAX, tokens - past), past) for past in range(0, tokens, SEQUENCE_MAX)]
    absorbed = sum(_cost(body, costs.prompt, program.kept, *batch) for batch in before)
    return absorbed + _cost(program.steps, costs.prompt, program.kept, *last)


def activation_instructions(program: Foretold, profile: NetworkProfile, costs: EngineCosts | None = None) -> int:
    """Of loading the program, and of trying what one token, twice, and a full batch take at both ends of the context.

    It goes in slices (activation.zig); each message touches the pages anew that it needs of what an earlier one loaded.
    """
    costs = costs or engine_costs()
    context = program.sizes.context_length
    batch = min(SEQUENCE_MAX, context)
    fixed, per_byte, per_added_byte = costs.activate
    added_bytes = program.sizes.program_bytes - program.sizes.size_bytes
    loading = fixed + per_byte * program.sizes.size_bytes + per_added_byte * added_bytes
    near, far = (
        2 * _cost(program.steps, costs.token, program.kept, 1, context - 1 if end else 0)
        + _cost(program.steps, costs.prompt, program.kept, batch, context - batch if end else 0)
        for end in (False, True)
    )
    loaded_before = loading // _SLICE_INSTRUCTIONS * _SLICE_INSTRUCTIONS
    pages = loaded_before / max(loading, 1) * _pages(program.steps, program.sizes, 0)
    if loading - loaded_before + near >= _SLICE_INSTRUCTIONS:
        pages += _pages(program.steps, program.sizes, context)
    return round(loading + near + far + pages * profile.limits.page_read_instructions)


def _cost(steps: Iterable[Step], costs: dict[str, Terms], kept: Element, rows: int, past: int) -> float:
    return sum(
        cost * term
        for step in steps
        for cost, term in zip(costs[kind(step, kept)], terms(step, rows, past), strict=True)
    )


def _pages(steps: Iterable[Step], sizes: ProgramSizes, context: int) -> float:
    """Accesses and first writes of pages: each weight that is multiplied, the cache, and activations twice."""
    matrices = {id(step.inputs[1]): step.inputs[1] for step in steps if step.code is Code.MATMUL}
    weights = sum(weight_size_bytes(matrix) for matrix in matrices.values() if isinstance(matrix, Weight))
    cache = sizes.state_bytes * min(1.0, context / sizes.context_length)
    return (weights + cache + 2 * sizes.arena_bytes) / _PAGE_SIZE_BYTES
