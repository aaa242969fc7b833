"""A foreign model's weights under the names and in the layout of `decoder.weights`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.decoder import Decoder, Weight, weights
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.safetensors_file import SafetensorsFile
from personal_ai.models.tensor_file import Tensor, TensorFile

_INDEX_FILE = "model.safetensors.index.json"
_SINGLE_FILE = "model.safetensors"
_MAX_INDEX_SIZE_BYTES = 16 << 20
_MAX_SHARDS = 1000
_MAX_REASONS = 20

_LLAMA_TOP: Final = {
    "embed.weight": "model.embed_tokens.weight",
    "final_norm.weight": "model.norm.weight",
    "head.weight": "lm_head.weight",
}
_LLAMA_PARTS: Final = {
    "attention.norm": "input_layernorm",
    "attention.q": "self_attn.q_proj",
    "attention.k": "self_attn.k_proj",
    "attention.v": "self_attn.v_proj",
    "attention.o": "self_attn.o_proj",
    "attention.q_norm": "self_attn.q_norm",
    "attention.k_norm": "self_attn.k_norm",
    "mlp.norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
_GEMMA3_PARTS: Final = _LLAMA_PARTS | {
    "attention.post_norm": "post_attention_layernorm",
    "mlp.norm": "pre_feedforward_layernorm",
    "mlp.post_norm": "post_feedforward_layernorm",
}
_PHI3_PARTS: Final = _LLAMA_PARTS | {
    **{f"attention.{part}": "self_attn.qkv_proj" for part in "qkv"},
    **{f"mlp.{part}": "mlp.gate_up_proj" for part in ("gate", "up")},
}
_GPT2_TOP: Final = {
    "embed.weight": "wte.weight",
    "position.weight": "wpe.weight",
    "final_norm.weight": "ln_f.weight",
    "final_norm.bias": "ln_f.bias",
    "head.weight": "lm_head.weight",
}
_GPT2_PARTS: Final = {
    "attention.norm": "ln_1",
    "attention.q": "attn.c_attn",
    "attention.k": "attn.c_attn",
    "attention.v": "attn.c_attn",
    "attention.o": "attn.c_proj",
    "mlp.norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
_PARTS: Final = {"gpt2": _GPT2_PARTS, "gemma3_text": _GEMMA3_PARTS, "phi3": _PHI3_PARTS}  # others: _LLAMA_PARTS
_MERGED: Final = {  # tensors that hold the outputs of several matrices side by side
    "attn.c_attn": ("attention.q", "attention.k", "attention.v"),
    "self_attn.qkv_proj": ("attention.q", "attention.k", "attention.v"),
    "mlp.gate_up_proj": ("mlp.gate", "mlp.up"),
}
_NOT_NEEDED = re.compile(r".*(rotary_emb\.inv_freq|attn\.bias|attn\.masked_bias)")  # constants of old checkpoints


@dataclass(frozen=True, slots=True)
class _Origin:
    """Where a weight comes from. `first` is the first output of it within a tensor that holds several side by side;
    `outputs_last` tells GPT-2's [inputs, outputs] from the usual [outputs, inputs]; `less_by` is what the checkpoint
    leaves out of each value.
    """

    tensor: str
    shape: tuple[int, ...]
    first: int = 0
    outputs_last: bool = False
    less_by: float = 0.0


class Checkpoint:
    """The open weight files of a model. A `WeightSource` once `check` has passed."""

    def __init__(self, files: tuple[TensorFile, ...]) -> None:
        self._files = files
        self._places: dict[str, TensorFile] = {name: file for file in files for name in file.tensors}
        self._prefix = "transformer." if "transformer.wte.weight" in self._places else ""
        self._origins: dict[str, _Origin] = {}

    def file(self, tensor: str) -> TensorFile:
        """Where a tensor lies."""
        return self._places[tensor]

    @property
    def has_head(self) -> bool:
        return "lm_head.weight" in self._places

    def check(self, decoder: Decoder) -> None:
        """Finds every weight of `decoder`. Raises UnsupportedModelError naming what is missing, odd or unknown."""
        self._origins = {weight.name: self._origin(decoder, weight) for weight in weights(decoder)}
        reasons = [reason for origin in dict.fromkeys(self._origins.values()) for reason in self._obstacle(origin)]
        used = {origin.tensor for origin in self._origins.values()}
        if decoder.tied_embedding:
            used.add("lm_head.weight")
        unknown = [name for name in self._places if name not in used and not _NOT_NEEDED.fullmatch(name)]
        reasons += [f"It holds a tensor that this architecture does not have: {name[:120]}." for name in unknown]
        if reasons:
            more = [f"… and {len(reasons) - _MAX_REASONS} more."] if len(reasons) > _MAX_REASONS else []
            raise UnsupportedModelError("The weights do not fit config.json.", tuple(reasons[:_MAX_REASONS] + more))

    def vector(self, weight: Weight) -> npt.NDArray[np.float32]:
        """A vector, or a table's first rows."""
        origin = self._origins[weight.name]
        values = self._places[origin.tensor].rows(origin.tensor, origin.first, origin.first + weight.shape[0])
        if not np.isfinite(values).all():
            raise FormatError(f"{origin.tensor} holds values that are not numbers (NaN or infinity).")
        return values + np.float32(origin.less_by) if origin.less_by else values

    def columns(self, weight: Weight, start: int, stop: int) -> npt.NDArray[np.float32]:
        """See `sources.WeightSource`."""
        origin = self._origins[weight.name]
        file = self._places[origin.tensor]
        start, stop = origin.first + start, origin.first + stop
        if origin.outputs_last:
            return file.rows(origin.tensor, 0, origin.shape[0])[:, start:stop]
        return file.rows(origin.tensor, start, stop).T

    def _stored(self, name: str) -> Tensor | None:
        return self._places[name].tensors[name] if name in self._places else None

    def _obstacle(self, origin: _Origin) -> Iterator[str]:
        stored = self._stored(origin.tensor)
        if stored is None:
            yield f"The tensor {origin.tensor} is missing."
        elif not stored.readable:
            yield f"The tensor {origin.tensor} is of type {stored.dtype}, which is not known."
        elif stored.shape != origin.shape and not _is_longer_table(stored, origin):
            yield f"The tensor {origin.tensor} has shape {list(stored.shape)} instead of {list(origin.shape)}."

    def _origin(self, decoder: Decoder, weight: Weight) -> _Origin:
        gpt2 = decoder.rope is None
        top = _GPT2_TOP if gpt2 else _LLAMA_TOP
        # Gemma's norms multiply by 1 + their weight.
        less_by = 1.0 if decoder.architecture == "gemma3_text" and weight.kind == "vector" else 0.0
        if weight.name in top:
            name = top[weight.name]
            shape = weight.shape[::-1] if weight.kind == "matrix" else weight.shape
            prefix = "" if name.startswith(("lm_head", "model")) else self._prefix
            return _Origin(prefix + name, shape, less_by=less_by)
        _, layer, *rest, kind = weight.name.split(".")
        part = ".".join(rest)
        tensor = _PARTS.get(decoder.architecture, _LLAMA_PARTS)[part]
        name = f"{self._prefix}h.{layer}.{tensor}.{kind}" if gpt2 else f"model.layers.{layer}.{tensor}.{kind}"
        shape = weight.shape[::-1] if weight.kind == "matrix" and not gpt2 else weight.shape
        if tensor not in _MERGED:
            return _Origin(name, shape, outputs_last=gpt2, less_by=less_by)
        parts = _MERGED[tensor]
        first = sum(_outputs(decoder, other) for other in parts[: parts.index(part)])
        total = sum(_outputs(decoder, other) for other in parts)
        whole = (*shape[:-1], total) if gpt2 else (total, *shape[1:])
        return _Origin(name, whole, first=first, outputs_last=gpt2)


def _outputs(decoder: Decoder, part: str) -> int:
    """Outputs of a matrix that may be merged with others."""
    attention = {"attention.q": decoder.attention_size, "attention.k": decoder.key_value_size}
    attention["attention.v"] = decoder.key_value_size
    return attention.get(part, decoder.intermediate_size)


def _is_longer_table(stored: Tensor, origin: _Origin) -> bool:
    """Whether these are learned positions for a context longer than the wanted one."""
    return (
        origin.tensor.endswith("wpe.weight")
        and stored.shape[1:] == origin.shape[1:]
        and stored.shape[:1] > origin.shape[:1]
    )


def holds_safetensors(folder: Path) -> bool:
    """Whether there is something for `open_checkpoint` to open."""
    return any((folder / name).is_file() for name in (_SINGLE_FILE, _INDEX_FILE))


@contextmanager
def open_checkpoint(folder: Path) -> Iterator[Checkpoint]:
    """A decoder's weights. Raises as `weight_files`."""
    with weight_files(folder) as files:
        yield Checkpoint(files)


@contextmanager
def weight_files(folder: Path) -> Iterator[tuple[TensorFile, ...]]:
    """The safetensors files of a Hugging Face folder, one or as its index lists them.

    Raises FormatError for broken files, UnsupportedModelError where there are none.
    """
    with ExitStack() as files:
        yield tuple(files.enter_context(closing(SafetensorsFile(folder / name))) for name in _file_names(folder))


def _file_names(folder: Path) -> list[str]:
    if (folder / _SINGLE_FILE).is_file():
        return [_SINGLE_FILE]
    if not (folder / _INDEX_FILE).is_file():
        raise UnsupportedModelError(
            "The folder holds no weights that can be read.",
            (f"There is neither {_SINGLE_FILE} nor {_INDEX_FILE}. Pickle files (.bin, .pt) are never opened.",),
        )
    index = Fields(read_json(folder / _INDEX_FILE, _MAX_INDEX_SIZE_BYTES), _INDEX_FILE)
    places = index.fields("weight_map")
    names = sorted({str(places.raw(name)) for name in places})
    if not 1 <= len(names) <= _MAX_SHARDS:
        raise FormatError(f"{_INDEX_FILE} lists no files, or too many.")
    for name in names:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}\.safetensors", name):
            raise FormatError(f"{_INDEX_FILE} names a file that is no plain safetensors file name.")
    return names
