"""An encoder's weights under the names and in the layout of `encoder.weights`."""

from __future__ import annotations

import re
from typing import Final

import numpy as np

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.decoder import Weight
from personal_ai.models.encoders.encoder import Encoder, weights
from personal_ai.models.quantisation import Floats
from personal_ai.models.tensor_file import TensorFile

_TOP: Final = {
    "embed.weight": "embeddings.word_embeddings.weight",
    "position.weight": "embeddings.position_embeddings.weight",
    "token_type.weight": "embeddings.token_type_embeddings.weight",
    "embed.norm.weight": "embeddings.LayerNorm.weight",
    "embed.norm.bias": "embeddings.LayerNorm.bias",
}
_PARTS: Final = {
    "attention.q": "attention.self.query",
    "attention.k": "attention.self.key",
    "attention.v": "attention.self.value",
    "attention.o": "attention.output.dense",
    "attention.norm": "attention.output.LayerNorm",
    "mlp.up": "intermediate.dense",
    "mlp.down": "output.dense",
    "mlp.norm": "output.LayerNorm",
}
_PREFIXES: Final = ("", "bert.", "roberta.")
_NOT_NEEDED = re.compile(r"(.*\.)?(position_ids|pooler\..*)|(cls|lm_head|classifier)\..*")  # heads of other tasks
_MAX_REASONS = 20


class EncoderCheckpoint:
    """The open weight files of an encoder: a `WeightSource` once `check` has passed."""

    def __init__(self, files: tuple[TensorFile, ...]) -> None:
        self._places: dict[str, TensorFile] = {name: file for file in files for name in file.tensors}
        known = (prefix for prefix in _PREFIXES if prefix + _TOP["embed.weight"] in self._places)
        self._prefix = next(known, "")

    def check(self, encoder: Encoder) -> None:
        """Finds every weight. Raises UnsupportedModelError naming what is missing, odd or unknown."""
        reasons = [reason for weight in weights(encoder) for reason in self._obstacles(weight)]
        used = {self._name(weight) for weight in weights(encoder)}
        unknown = [name for name in self._places if name not in used and not _NOT_NEEDED.fullmatch(name)]
        reasons += [f"It holds a tensor that this architecture does not have: {name[:120]}." for name in unknown]
        if reasons:
            raise UnsupportedModelError("The weights do not fit config.json.", tuple(reasons[:_MAX_REASONS]))

    def vector(self, weight: Weight) -> Floats:
        """A vector, or a table's first rows."""
        name = self._name(weight)
        values = self._places[name].rows(name, 0, weight.shape[0])
        if not np.isfinite(values).all():
            raise FormatError(f"{name} holds values that are not numbers (NaN or infinity).")
        return values

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        """See `sources.WeightSource`."""
        name = self._name(weight)
        return self._places[name].rows(name, start, stop).T

    def _obstacles(self, weight: Weight) -> list[str]:
        name = self._name(weight)
        shape = weight.shape[::-1] if weight.kind == "matrix" else weight.shape
        if name not in self._places:
            return [f"The tensor {name} is missing."]
        stored = self._places[name].tensors[name]
        if not stored.readable:
            return [f"The tensor {name} is of type {stored.dtype}; F32, F16 and BF16 are known."]
        longer = weight.kind == "table" and stored.shape[1:] == shape[1:] and stored.shape[:1] >= shape[:1]
        return (
            []
            if longer or stored.shape == shape
            else [f"The tensor {name} has shape {list(stored.shape)} instead of {list(shape)}."]
        )

    def _name(self, weight: Weight) -> str:
        if weight.name in _TOP:
            return self._prefix + _TOP[weight.name]
        _, layer, *rest, kind = weight.name.split(".")
        return f"{self._prefix}encoder.layer.{layer}.{_PARTS['.'.join(rest)]}.{kind}"
