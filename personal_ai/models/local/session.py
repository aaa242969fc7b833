"""A decoder in onnxruntime: one step after the other over a cache that stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.local.bound import BoundGraph
from personal_ai.models.local.devices import CPU, Device, Verdict, chosen
from personal_ai.models.local.session_graph import SessionGraph, cached_head_size
from personal_ai.models.local.session_layers import session_graph

if TYPE_CHECKING:
    from onnxruntime import OrtValue  # noqa: TID251 -- for the type checker alone

Floats = npt.NDArray[np.float32]

_CAPACITY_MIN: Final = 256


class Session:
    """The decoder's weights and the keys and values of the positions so far. For one thread at a time."""

    def __init__(self, graph: SessionGraph, device: Device = CPU, *, threads: int | None = None) -> None:
        """threads: None leaves it to onnxruntime. Raises UnsuitableDeviceError, and what onnxruntime raises."""
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

        self._decoder, self._device = graph.decoder, device
        self._values, self._cache_type = onnxruntime.OrtValue, graph.cache_type
        self._capacity = 0
        self._cache: list[OrtValue] = []
        self._logits: Floats = np.empty((1, 0, 0), dtype=np.float32)
        self._bound = BoundGraph(graph, device, threads)
        some = [0, self._decoder.vocabulary_size // 2, self._decoder.vocabulary_size - 1]
        self._bound.give_back(graph, lambda: self.step(some, 0))

    def step(self, tokens: Sequence[int], past: int, rows: int = 1) -> Floats:
        """The logits [rows, vocabulary] after the last `rows` of `tokens`, which follow the first `past` positions.

        The next step overwrites them. No rows: the tokens are only read. Raises what onnxruntime raises.
        """
        total = past + len(tokens)
        self._reserve(total)
        answered = rows if self._device.provider == CPU.provider else max(rows, 1)  # not all take what is empty
        if self._logits.shape[1:] != (answered, self._decoder.vocabulary_size):
            self._logits = np.empty((1, answered, self._decoder.vocabulary_size), dtype=np.float32)
            self._bound.bind_output("logits", self._logits)
        self._bound.run(
            input_ids=np.array([tokens], dtype=np.int64),
            last_position=np.array([total - 1], dtype=np.int32),
            total_length=np.array(total, dtype=np.int32),
            first_row=np.array([-answered if answered else len(tokens)], dtype=np.int64),
        )
        logits: Floats = self._logits[0, :rows]
        return logits

    def _reserve(self, length: int) -> None:
        """Makes room for `length` positions; the cache moves only when it grows, to twice its size."""
        if length <= self._capacity:
            return
        capacity = min(max(length, 2 * self._capacity, _CAPACITY_MIN), max(length, self._decoder.context_length))
        shape = (1, self._decoder.key_value_head_count, capacity, cached_head_size(self._decoder))
        grown = []
        for index in range(2 * self._decoder.layer_count):
            values = np.zeros(shape, dtype=self._cache_type)
            if self._cache:
                values[:, :, : self._capacity] = self._cache[index].numpy()
            grown.append(self._values.ortvalue_from_numpy(values, self._device.memory, 0))
        self._cache, self._capacity = grown, capacity
        self._bound.bind_cache(grown)


def open_session(decoder: Decoder, onnx_path: Path, *, threads: int | None = None) -> tuple[Session, list[Verdict]]:
    """The session on the best device that runs the whole model, and what became of each.

    Raises FormatError for a file that is no model, and what onnxruntime raises.
    """
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

    def open_on(device: Device) -> Session:
        # A graph for each try, of the file mapped anew: a session takes what it repacks out of it.
        graph = session_graph(decoder, read_onnx(onnx_path).constants, device, threads=threads)
        return Session(graph, device, threads=threads)

    return chosen(onnxruntime.get_available_providers(), open_on)
