"""The graphs that onnxruntime runs on this computer, as they are put together: in onnxruntime's own fused operators."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from personal_ai.compiler.onnx_graph import Array, Int4Matrix
from personal_ai.models.decoder import Decoder
from personal_ai.models.local import kernel
from personal_ai.models.local.weights import Tensors, block_matrix, joined
from personal_ai.models.quantisation import BLOCK_SIZE

GIVEN_FILE: Final = "given"  # where a tensor is said to lie that is given beside the model
_IR_VERSION: Final = 11
_CONTRIBUTED: Final = "com.microsoft"
_OPSETS: Final = {"": 24, _CONTRIBUTED: 1, kernel.DOMAIN: 1}
_INT8_ACTIVATIONS: Final = 4  # MatMulNBits' accuracy level: activations are rounded to int8, block by block
_INLINE_SIZE_BYTES_MAX: Final = 1024


@dataclass
class SessionGraph:
    """A model whose large tensors are given beside it: `tensors` by name.

    cuda: in the operators that CUDA has. It attends in 16-bit floats alone, and has no int8 blocks in DequantizeLinear.
    matrices: the names of the quantised matrices' integers, by the number of their bits.
    """

    decoder: Decoder
    source: Tensors
    cuda: bool = False
    nodes: list[NodeProto] = field(default_factory=list)
    tensors: dict[str, Array] = field(default_factory=dict)
    matrices: dict[int, list[str]] = field(default_factory=dict)

    @property
    def cache_type(self) -> type[np.float16 | np.float32]:
        """Of keys and values."""
        return np.float16 if self.cuda else np.float32

    @property
    def as_given(self) -> set[str]:
        """The tensors that products and look-ups alone read, so that no optimiser of onnxruntime's looks into them."""
        rows = {"embed.weight"} if "embed.weight.scale" in self.tensors else set()
        return rows.union(*self.matrices.values())

    def model(self) -> ModelProto:
        """The tensors are declared as external; onnxruntime gets them through its session options."""
        body = helper.make_graph(
            self.nodes,
            self.decoder.architecture,
            self.inputs(),
            self.outputs(),
            [_declared(name, tensor) for name, tensor in self.tensors.items()],
        )
        opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
        return helper.make_model(body, opset_imports=opsets, ir_version=_IR_VERSION)

    def inputs(self) -> list[ValueInfoProto]:
        return [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "sequence"]),
            helper.make_tensor_value_info("last_position", TensorProto.INT32, [1]),
            helper.make_tensor_value_info("total_length", TensorProto.INT32, []),
            helper.make_tensor_value_info("first_row", TensorProto.INT64, [1]),
            *_cache(self, "past_key_values"),
        ]

    def outputs(self) -> list[ValueInfoProto]:
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "rows", self.decoder.vocabulary_size])
        return [logits, *_cache(self, "present")]

    def add(self, operator: str, name: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node of ONNX's own with one output."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def add_fused(
        self, operator: str, outputs: list[str], *inputs: str, domain: str = _CONTRIBUTED, **attributes: Any
    ) -> None:
        """Adds one of onnxruntime's own nodes; what is left out is an empty name."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, name=outputs[0], domain=domain, **attributes))

    def tensor(self, name: str, values: Array | None = None) -> str:
        """Takes the tensor from the package where no values are given."""
        self.tensors[name] = joined(self.source, [name]) if values is None else values
        return name

    def integers(self, name: str, *values: int) -> str:
        return self.tensor(name, np.array(values, dtype=np.int64))

    def multiply(self, name: str, x: str, *parts: str, bias: bool = False) -> str:
        """x [1, rows, inputs] times the matrices `parts` of the package side by side, plus their biases."""
        parts = parts or (name,)
        matrices = [f"{part}.weight" for part in parts]
        bias_name = (
            self.tensor(f"{name}.biases", joined(self.source, [f"{part}.bias" for part in parts])) if bias else ""
        )
        if self._bits(matrices[0]) == 32:
            product = self.add("MatMul", f"{name}.product" if bias else name, x, self._plain(name, matrices))
            return self.add("Add", name, product, bias_name) if bias else name
        matrix = block_matrix(self.source, matrices)
        integers = self.tensor(f"{name}.integers", matrix.integers)
        scales = self.tensor(f"{name}.scales", matrix.scales)
        self.matrices.setdefault(matrix.bits, []).append(integers)
        self.add_fused(
            "MatMulNBits",
            [name],
            *(x, integers, scales, "", "", bias_name),
            K=matrix.inputs,
            N=matrix.outputs,
            bits=matrix.bits,
            block_size=BLOCK_SIZE,
            accuracy_level=_INT8_ACTIVATIONS,
        )
        return name

    def query_key_value(self, name: str, x: str) -> list[str]:
        """The attention's three products of x; key and value are "" where they lie behind the query's part.

        They lie apart where sensitive ones are kept in more bits.
        """
        parts, bias = [f"{name}.{part}" for part in "qkv"], self.decoder.qkv_bias
        if len({self._bits(f"{part}.weight") for part in parts}) > 1:
            return self.multiply_each(parts, x, bias=bias)
        return [self.multiply(f"{name}.qkv", x, *parts, bias=bias), "", ""]

    def multiply_each(self, names: list[str], x: str, *, bias: bool) -> list[str]:
        """The products of x with each of the matrices."""
        return [self.multiply(name, x, bias=bias) for name in names]

    def _bits(self, matrix: str) -> int:
        """Of the package's matrix."""
        if f"{matrix}.scale" not in self.source:
            return 32
        return 4 if isinstance(self.source[matrix], Int4Matrix) else 8

    def _plain(self, name: str, matrices: list[str]) -> str:
        if matrices[0] not in self.source:  # the head of a tied f32 model
            return self.add("Transpose", f"{name}.matrix", self.tensor("embed.weight"), perm=[1, 0])
        return self.tensor(f"{name}.matrix", joined(self.source, matrices))


@dataclass
class OwnKernelGraph(SessionGraph):
    """A graph whose products are of this program's own operator: it takes the package's matrices as they are.

    threads: among how many a product is shared.
    """

    threads: int = 1
    taken: set[str] = field(default_factory=set)

    @property
    def as_given(self) -> set[str]:
        return super().as_given | self.taken

    def multiply(self, name: str, x: str, *parts: str, bias: bool = False) -> str:
        (matrix,) = parts or (name,)
        if self._bits(f"{matrix}.weight") == 32:
            return super().multiply(name, x, *parts, bias=bias)
        self._add_products({name: matrix}, x, bias=bias)
        return name

    def query_key_value(self, name: str, x: str) -> list[str]:
        return self.multiply_each([f"{name}.{part}" for part in "qkv"], x, bias=self.decoder.qkv_bias)

    def multiply_each(self, names: list[str], x: str, *, bias: bool) -> list[str]:
        if any(self._bits(f"{name}.weight") == 32 for name in names):
            return super().multiply_each(names, x, bias=bias)
        self._add_products({name: name for name in names}, x, bias=bias)
        return names

    def _add_products(self, matrices: dict[str, str], x: str, *, bias: bool) -> None:
        """x times each of the matrices; they are named by what comes out."""
        inputs = [x]
        for matrix in matrices.values():
            weight = self.source[f"{matrix}.weight"]
            integers = weight.packed if isinstance(weight, Int4Matrix) else weight
            inputs.append(self.tensor(f"{matrix}.weight", integers))
            inputs += [self.tensor(f"{matrix}.{part}") for part in ("weight.scale", *(["bias"] if bias else []))]
        self.taken.update(inputs[1:])
        self.add_fused(
            kernel.OPERATOR,
            list(matrices),
            *inputs,
            domain=kernel.DOMAIN,
            input_size=weight.shape[0],
            biased=int(bias),
            threads=self.threads,
        )


def _cache(graph: SessionGraph, prefix: str) -> list[ValueInfoProto]:
    decoder = graph.decoder
    shape: list[int | str | None] = [1, decoder.key_value_head_count, "capacity", cached_head_size(decoder)]
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(graph.cache_type))
    return [helper.make_tensor_value_info(name, kind, shape) for name in cache_names(decoder, prefix)]


def _kind(tensor: Array) -> int:
    return helper.np_dtype_to_tensor_dtype(tensor.dtype)


def cache_names(decoder: Decoder, prefix: str) -> list[str]:
    """Of keys and values, layer by layer."""
    return [f"{prefix}.{layer}.{part}" for layer in range(decoder.layer_count) for part in ("key", "value")]


def is_large(tensor: Array) -> bool:
    """Whether the tensor is given beside the model; shape inference must see the small ones."""
    return tensor.nbytes > _INLINE_SIZE_BYTES_MAX


def _declared(name: str, tensor: Array) -> TensorProto:
    if not is_large(tensor):
        return numpy_helper.from_array(tensor, name)
    declared = TensorProto(name=name, dims=tensor.shape, data_type=_kind(tensor), data_location=TensorProto.EXTERNAL)
    declared.external_data.add(key="location", value=GIVEN_FILE)
    return declared


def cached_head_size(decoder: Decoder) -> int:
    """GroupQueryAttention takes heads whose size is a multiple of 8: others end in zeros."""
    return -(-decoder.head_size // 8) * 8
