"""The tensors of a GGUF file under the names and in the layout of Hugging Face's transformers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from personal_ai.models.fields import Fields
from personal_ai.models.gguf.reader import GgufFile, GgufTensor
from personal_ai.models.quantisation import Floats
from personal_ai.models.tensor_file import Tensor

EMBEDDING: Final = "token_embd.weight"
HEAD: Final = "output.weight"
ROPE_DIVISORS: Final = "rope_freqs.weight"
LONG_DIVISORS: Final = "rope_factors_long.weight"
SHORT_DIVISORS: Final = "rope_factors_short.weight"

_TOP: Final = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    HEAD: "lm_head.weight",
}
_PARTS: Final = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
_GEMMA3_PARTS: Final = _PARTS | {
    "post_attention_norm": "post_attention_layernorm",
    "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}
_PHI3_PARTS: Final = _PARTS | {"attn_qkv": "self_attn.qkv_proj", "ffn_up": "mlp.gate_up_proj"}
_GPT2_TOP: Final = {
    EMBEDDING: "wte.weight",
    "position_embd.weight": "wpe.weight",
    "output_norm.weight": "ln_f.weight",
    "output_norm.bias": "ln_f.bias",
    HEAD: "lm_head.weight",
}
_GPT2_PARTS: Final = {
    "attn_norm": "ln_1",
    "attn_qkv": "attn.c_attn",
    "attn_output": "attn.c_proj",
    "ffn_norm": "ln_2",
    "ffn_up": "mlp.c_fc",
    "ffn_down": "mlp.c_proj",
}
_OF_ARCHITECTURE: Final = {"gemma3_text": _GEMMA3_PARTS, "phi3": _PHI3_PARTS, "gpt2": _GPT2_PARTS}
_IN_CONFIG: Final = (ROPE_DIVISORS, LONG_DIVISORS, SHORT_DIVISORS)  # config.py reads them
_MAX_HEADS = 1024


@dataclass(frozen=True, slots=True)
class _View:
    """How a tensor must be turned. `heads`: whose rows llama.cpp put into another order, 0 for none. `transposed`:
    whether transformers has it the other way round. `less_by`: what llama.cpp added to each number.
    """

    name: str
    heads: int = 0
    transposed: bool = False
    less_by: float = 0.0


@dataclass(frozen=True, slots=True)
class _TurnedTensor:
    dtype: str
    shape: tuple[int, ...]
    readable: bool


class GgufWeights:
    """A `TensorFile`."""

    def __init__(self, file: GgufFile, config: Fields) -> None:
        """config: as `config.huggingface_config` makes it."""
        self._file = file
        architecture = config.text("model_type", 64)
        reordered = {}
        if architecture == "llama":
            heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}
            reordered = {part: config.integer(name, 1, _MAX_HEADS) for part, name in heads.items()}
        self._views = dict(
            _viewed(stored, architecture, reordered) for stored in file.tensors if stored not in _IN_CONFIG
        )
        self.tensors: dict[str, Tensor] = {
            name: _turned(file.tensors[view.name], view) for name, view in self._views.items()
        }

    def close(self) -> None:
        self._file.close()

    def rows(self, name: str, start: int, stop: int) -> Floats:
        """See `tensor_file.TensorFile`. A transposed tensor is read as a whole: GPT-2 alone has them, and is small."""
        view = self._views[name]
        if view.transposed:
            return np.ascontiguousarray(self._file.rows(view.name, 0, self.tensors[name].shape[1]).T[start:stop])
        if view.heads:
            return self._rows_of_heads(view, self.tensors[name].shape[0] // view.heads, start, stop)
        values = self._file.rows(view.name, start, stop)
        return values - np.float32(view.less_by) if view.less_by else values

    def _rows_of_heads(self, view: _View, size: int, start: int, stop: int) -> Floats:
        """llama.cpp turns neighbouring elements as a pair, transformers those half a head apart."""
        first, last = start // size, -(-stop // size)
        values = self._file.rows(view.name, first * size, last * size)
        pairs = values.reshape(last - first, size // 2, 2, *values.shape[1:])
        ordered = pairs.swapaxes(1, 2).reshape(values.shape)
        return np.ascontiguousarray(ordered[start - first * size : stop - first * size])


def _viewed(stored: str, architecture: str, reordered: Mapping[str, int]) -> tuple[str, _View]:
    """A name of transformers and the view on it; the file's own name where the architecture does not know it.

    reordered: the parts whose rows llama.cpp put into another order, and their heads.
    """
    gpt2 = architecture == "gpt2"
    less_by = 1.0 if architecture == "gemma3_text" and stored.endswith("norm.weight") else 0.0
    top = _GPT2_TOP if gpt2 else _TOP
    layer = re.fullmatch(r"blk\.(\d{1,4})\.(\w+)\.(weight|bias)", stored)
    part = _OF_ARCHITECTURE.get(architecture, _PARTS).get(layer[2]) if layer else None
    if stored in top:
        return top[stored], _View(stored, less_by=less_by)
    if layer is None or part is None:
        return stored, _View(stored)
    transposed = gpt2 and layer[3] == "weight" and "norm" not in layer[2]
    name = f"{'h' if gpt2 else 'model.layers'}.{layer[1]}.{part}.{layer[3]}"
    return name, _View(stored, reordered.get(layer[2], 0), transposed, less_by)


def _turned(tensor: GgufTensor, view: _View) -> _TurnedTensor:
    shape = tensor.shape[::-1] if view.transposed else tensor.shape
    whole_heads = not view.heads or shape[0] % (2 * view.heads) == 0
    return _TurnedTensor(tensor.dtype, shape, tensor.readable and whole_heads)
