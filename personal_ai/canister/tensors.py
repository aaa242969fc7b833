"""Named tensors to and from the canister's `run`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from personal_ai.canister import interface
from personal_ai.canister.errors import refusal
from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.ic import candid

Tensor = npt.NDArray[Any]
_TYPES: dict[str, np.dtype[Any]] = {"float32": np.dtype("<f4"), "int64": np.dtype("<i8")}
_RANK_MAX = 8


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is that one message did not end. instructions: what that message used."""

    operators_done: int
    operators_total: int
    instructions: int


def run_request(inputs: Mapping[str, Tensor], max_instructions: int) -> bytes:
    """The argument of `run`. Raises BadInputError for numbers of another type than float32 and int64."""
    given = [_written(name, array) for name, array in inputs.items()]
    return candid.encode([interface.RUN_REQUEST], [{"inputs": given, "max_instructions": max_instructions}])


def run_result(answer: bytes) -> dict[str, Tensor] | RunProgress:
    """What `run` answered. Raises the canister's errors, FormatError for tensors that do not hold together."""
    ((variant, value),) = candid.decode([interface.RUN_RESULT], answer)
    if variant == "err":
        raise refusal(*value)
    if variant == "more":
        return RunProgress(**value)
    return {tensor["name"]: _read(tensor) for tensor in value["outputs"]}


def _written(name: str, array: Tensor) -> dict[str, Any]:
    kind = array.dtype.name
    if kind not in _TYPES:
        raise BadInputError(f"The input {name} is of type {kind}; float32 and int64 are taken.")
    data = np.ascontiguousarray(array, dtype=_TYPES[kind]).tobytes()
    return {"name": name, "shape": list(array.shape), "data": (kind, data)}


def _read(tensor: dict[str, Any]) -> Tensor:
    kind, data = tensor["data"]
    shape = tuple(tensor["shape"])
    if len(shape) > _RANK_MAX or prod(shape) * _TYPES[kind].itemsize != len(data):
        raise FormatError("The canister sent a tensor that does not hold what its shape says.")
    numbers: Tensor = np.frombuffer(data, _TYPES[kind]).reshape(shape)
    return numbers
