"""How fast many rows are multiplied, one way beside the other: `python -m tests.benchmarks.products [--json]`.

Billions of multiplications of one core in a second of its own time (so it does not matter what else the computer does),
the best of many runs, for 256 rows and the four matrices of a decoder's layer (smollm2-135m). It is what decided how
local answers read prompts (docs/local-answers.md).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, helper, numpy_helper

from personal_ai.models.local import kernel
from personal_ai.models.quantisation import BLOCK_SIZE
from personal_ai.models.runtime import onnxruntime

ROWS: Final = 256
RUNS: Final = 30
MATRICES: Final = ((576, 960), (576, 576), (576, 1536), (1536, 576))  # inputs, outputs

Arrays = dict[str, npt.NDArray[Any]]
Product = tuple[list[NodeProto], Arrays, Arrays, type]  # nodes, what is given each time, constants, result


def block_product(bits: int) -> Callable[[int, int], Product]:
    """MatMulNBits, which rounds activations to 8 bits by blocks."""

    def made(inputs: int, outputs: int) -> Product:
        node = helper.make_node(
            "MatMulNBits",
            ["x", "w", "s"],
            ["y"],
            domain="com.microsoft",
            K=inputs,
            N=outputs,
            bits=bits,
            block_size=BLOCK_SIZE,
            accuracy_level=4,
        )
        blocks = -(-inputs // BLOCK_SIZE)
        weights = {
            "w": _integers((outputs, blocks, BLOCK_SIZE * bits // 8), np.uint8),
            "s": _floats((outputs, blocks)),
        }
        return [node], {"x": _floats((ROWS, inputs))}, weights, np.float32

    return made


def floats(inputs: int, outputs: int) -> Product:
    """Four bytes a weight, repacked once."""
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return [node], {"x": _floats((ROWS, inputs))}, {"w": _floats((inputs, outputs))}, np.float32


def own_kernel(bits: int) -> Callable[[int, int], Product]:
    """What answers use where there is a library for the computer."""

    def made(inputs: int, outputs: int) -> Product:
        attributes: dict[str, Any] = {"domain": kernel.DOMAIN, "input_size": inputs, "biased": 0, "threads": 1}
        node = helper.make_node(kernel.OPERATOR, ["x", "w", "s"], ["y"], **attributes)
        four = {"w": _integers((inputs * outputs // 2,), np.uint8)}
        weights = four if bits == 4 else {"w": _integers((inputs, outputs), np.int8)}
        scales = {"s": _floats((-(-inputs // BLOCK_SIZE), outputs))}
        return [node], {"x": _floats((ROWS, inputs))}, weights | scales, np.float32

    return made


def unpacked_each_time(inputs: int, outputs: int) -> Product:
    """Spread to f32 by a node of its own."""
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["f"], axis=0, block_size=BLOCK_SIZE),
        helper.make_node("MatMul", ["x", "f"], ["y"]),
    ]
    given = {
        "x": _floats((ROWS, inputs)),
        "w": _integers((inputs, outputs), np.int8),
        "s": _floats((inputs // BLOCK_SIZE, outputs)),
    }
    return nodes, given, {}, np.float32


def integers(weights: type) -> Callable[[int, int], Product]:
    """MatMulInteger: one scale for each row and column, which the package's numbers do not have."""

    def made(inputs: int, outputs: int) -> Product:
        node = helper.make_node("MatMulInteger", ["x", "w"], ["y"])
        given = {"x": _integers((ROWS, inputs), np.uint8)}
        return [node], given, {"w": _integers((inputs, outputs), weights)}, np.int32

    return made


PRODUCTS: Final[dict[str, Callable[[int, int], Product]]] = {
    "own kernel, 8 bits": own_kernel(8),
    "own kernel, 4 bits": own_kernel(4),
    "MatMulNBits, 8 bits": block_product(8),
    "MatMulNBits, 4 bits": block_product(4),
    "f32, repacked once": floats,
    "f32, unpacked from int8 each time": unpacked_each_time,
    "MatMulInteger, unsigned by unsigned": integers(np.uint8),
    "MatMulInteger, unsigned by signed": integers(np.int8),
}


def rate(product: Product, multiplications: int, runs: int) -> float:
    """Billions a second."""
    nodes, given, constants, result = product
    declared = [_declared(name, values.dtype, values.shape) for name, values in given.items()]
    body = helper.make_graph(
        nodes,
        "product",
        declared,
        [_declared("y", np.dtype(result), (ROWS, "outputs"))],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    domains = {"": 24, "com.microsoft": 1, kernel.DOMAIN: 1}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.register_custom_ops_library(str(kernel.library()))
    model = helper.make_model(body, opset_imports=opsets, ir_version=11)
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    times = []
    for _ in range(runs):
        start_s = time.process_time()
        session.run(None, given)
        times.append(time.process_time() - start_s)
    return multiplications / min(times) / 1e9


def run(runs: int = RUNS) -> dict[str, list[float]]:
    """Of each product, the rate for each matrix."""
    return {
        name: [round(rate(make(inputs, outputs), ROWS * inputs * outputs, runs), 1) for inputs, outputs in MATRICES]
        for name, make in PRODUCTS.items()
    }


def _declared(name: str, kind: np.dtype[Any], shape: Sequence[int | str]) -> Any:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(kind), shape)


def _floats(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _integers(shape: tuple[int, ...], kind: type) -> npt.NDArray[Any]:
    bounds = np.iinfo(kind)
    return np.random.default_rng(1).integers(bounds.min, bounds.max, shape, kind, endpoint=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How fast onnxruntime multiplies many rows.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args(arguments)
    results = run()
    print(json.dumps(results) if options.json else "\n".join(f"{name}: {rates}" for name, rates in results.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
