"""Steps that the engine does better together, and steps whose result nobody uses."""

from __future__ import annotations

from collections import Counter

from personal_ai.compiler.format import Code
from personal_ai.compiler.ir import ONE, Activation, Step, Weight


def fuse(steps: list[Step], logits: Activation) -> list[Step]:
    """Equal results, fewer steps: bias into its product, x * sigmoid(x), silu(gate) * up; unused steps fall away."""
    steps = _without_unused(steps, logits)
    for code in (Code.ADD, Code.MULTIPLY):
        steps = _fused(steps, code, logits)
    return steps


def _without_unused(steps: list[Step], logits: Activation) -> list[Step]:
    used = {id(logits.root)}
    kept: list[Step] = []
    for step in reversed(steps):
        if step.code is Code.ATTENTION or id(step.output) in used:
            used.update(id(activation) for activation in step.reads())
            kept.append(step)
    return kept[::-1]


def _fused(steps: list[Step], code: Code, logits: Activation) -> list[Step]:
    """Tries to fuse each step of `code`, in order, with the steps that make its inputs."""
    makers = {id(step.output): step for step in steps}
    uses = Counter(id(activation) for step in steps for activation in step.reads())
    uses[id(logits.root)] += 1
    gone: set[int] = set()
    for step in steps:
        if step.code is not code:
            continue
        absorbed = _absorb_product(step, makers, uses) if code is Code.ADD else _absorb_gate(step, makers, uses)
        if absorbed is not None:
            gone.add(id(absorbed))
    return [step for step in steps if id(step) not in gone]


def _absorb_product(step: Step, makers: dict[int, Step], uses: Counter[int]) -> Step | None:
    """A row added to a product that nothing else uses becomes its bias."""
    x, bias = step.inputs
    product = makers.get(id(x))
    if product is None or product.code is not Code.MATMUL or product.inputs[2] is not None or uses[id(x)] != 1:
        return None
    if not isinstance(bias, Weight) or bias.rows != ONE.constant:
        return None
    step.code, step.inputs = Code.MATMUL, [*product.inputs[:2], bias]
    return product


def _absorb_gate(step: Step, makers: dict[int, Step], uses: Counter[int]) -> Step | None:
    """x * sigmoid(x), and silu(gate) * up, in either order."""
    for one, other in (step.inputs, step.inputs[::-1]):
        maker = makers.get(id(one))
        if maker is None or uses[id(one)] != 1:
            continue
        if maker.code is Code.SIGMOID and maker.inputs[0] is other:
            step.code, step.inputs = Code.SILU, [other]
            return maker
        if maker.code is Code.SILU and isinstance(other, Activation):
            step.code, step.inputs = Code.SILU_MULTIPLY, [maker.inputs[0], other]
            return maker
    return None
