"""What the conformance commands share: a checkpoint's ONNX files, and onnxruntime one call after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from personal_ai.common.jobs import Cancel, Meter, ignore_progress
from personal_ai.models.decoder import Decoder
from personal_ai.models.detection import open_foreign
from personal_ai.models.huggingface import parse_decoder
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.onnx_file import write_model
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.runtime import onnxruntime

Logits = npt.NDArray[np.float32]


def write_onnx(source: Path, folder: Path, weights: Quantisation) -> Decoder:
    """The ONNX files of a foreign model, as an import writes them, in the new `folder`."""
    folder.mkdir()
    with open_foreign(source) as model:
        decoder = parse_decoder(model.config, has_head=model.checkpoint.has_head)
        model.checkpoint.check(decoder)
        meter = Meter("", 1, "", ignore_progress)
        write_model(folder, decoder, model.checkpoint, quantisation=weights, meter=meter, cancel=Cancel())
    return decoder


class OnnxSteps:
    """A decoder in onnxruntime with the cache of what it was given."""

    def __init__(
        self, model: Path, decoder: Decoder, level: onnxruntime.GraphOptimizationLevel, *, file: str = MODEL_FILE
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = level
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model / file), options)
        self._inputs = [port.name for port in self._session.get_inputs()]
        self._outputs = [port.name for port in self._session.get_outputs()]
        self._empty = np.zeros((1, decoder.key_value_head_count, 0, decoder.head_size), dtype=np.float32)
        self._cache = [self._empty] * (len(self._inputs) - 1)

    def forward(self, tokens: Sequence[int], past: int) -> Logits:
        """The logits [vocabulary] after `tokens`, which follow the tokens so far; `past` 0 begins anew."""
        if past == 0:
            self._cache = [self._empty] * len(self._cache)
        assert self._cache[0].shape[2] == past
        feed = {
            "input_ids": np.array([tokens], dtype=np.int64),
            **dict(zip(self._inputs[1:], self._cache, strict=True)),
        }
        logits, *self._cache = self._session.run(self._outputs, feed)
        return np.asarray(logits).reshape(-1)
