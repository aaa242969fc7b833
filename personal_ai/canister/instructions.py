"""How many instructions a reply will take, told from the program's steps before any message is sent.

Each step costs a few terms of its sizes, such as multiplications and rows. What a term costs was measured in the real
engine and lies in resources/engine-costs.json: `python -m tests.benchmarks.fit --calibrate` measures it again, and
tests hold the sum to within 5 % of the shipped module's own count.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from personal_ai.common.paths import resource
from personal_ai.compiler.compile import SEQUENCE_MAX, Foretold, ProgramSizes, weight_size_bytes
from personal_ai.compiler.format import BLOCK, WIDE_GROUP, Code, Element, round_up
from personal_ai.compiler.ir import Step, Weight
from personal_ai.ic.profile import NetworkProfile

COSTS_FILE = "engine-costs.json"
CONTEXT = 256  # tokens that are cached while a reply is measured
_PAGE_SIZE_BYTES = 65_536

Terms = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EngineCosts:
    """Instructions per term of each kind of step: of a token alone, and of each token in full batches of a prompt.

    choice: instructions of choosing a token, fixed and per token of the vocabulary. message: fixed, of one `generate`.
    message_pages: 64 KiB pages that a message touches beside weights, activations and cache.
    """

    token: dict[str, Terms]
    prompt: dict[str, Terms]
    choice: Terms
    message: float
    message_pages: float


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
    )


def kind(step: Step, kept: Element = Element.F32) -> str:
    """The name under which a step's costs are kept. kept: of keys and values, which attention reads."""
    if step.code is Code.ATTENTION:
        return f"ATTENTION {kept.name}"
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
    """What a program costs: instructions, and 64 KiB pages that each message touches.

    token: of one of a reply. prompt_token: of one that is read. message: of each message on top, pages included.
    """

    token: float
    prompt_token: float
    message: float

    def tokens_per_message(self, limit: int) -> int:
        """How many tokens of a reply one message makes with `limit` instructions."""
        return max(0, int((limit - self.message) / self.token))

    def reply_instructions(self, prompt_tokens: int, reply_tokens: int, limit: int) -> int:
        """Of a prompt and a reply, in as few messages as `limit` allows."""
        own = prompt_tokens * self.prompt_token + reply_tokens * self.token
        messages = max(1, -int(-own // max(limit - self.message, 1)))
        return round(own + messages * self.message)


def pace(program: Foretold, profile: NetworkProfile, context: int = CONTEXT, costs: EngineCosts | None = None) -> Pace:
    """With `context` tokens cached, on the average of a prompt as long; `costs`: of another engine."""
    costs = costs or engine_costs()
    steps, sizes = program.steps, program.sizes
    choice = costs.choice[0] + costs.choice[1] * sizes.vocabulary_size
    batches = range(0, context, SEQUENCE_MAX)
    body = steps[: 1 + max(index for index, step in enumerate(steps) if step.code is Code.ATTENTION)]
    prompt = sum(_cost(body, costs.prompt, program.kept, SEQUENCE_MAX, past) for past in batches)
    pages = _pages(steps, sizes, context) + costs.message_pages
    return Pace(
        token=_cost(steps, costs.token, program.kept, 1, context) + choice,
        prompt_token=prompt / (len(batches) * SEQUENCE_MAX),
        message=costs.message + pages * profile.limits.page_read_instructions,
    )


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
