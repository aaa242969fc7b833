"""A decoder in onnxruntime: one step after the other over a cache that stays where it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.local.bound import BoundGraph
from personal_ai.models.local.devices import CPU, Device, Verdict, chosen
from personal_ai.models.local.session_graph import HeadGraph, PromptGraph, SessionGraph, cached_head_size
from personal_ai.models.local.session_layers import head_graph, prompt_graph, session_graph, takes_prompt_graph

if TYPE_CHECKING:
    from onnxruntime import OrtValue  # noqa: TID251 -- for the type checker alone

Floats = npt.NDArray[np.float32]

_CAPACITY_MIN: Final = 256
_PROMPT_ROWS_MIN: Final = 64  # from here on unpacking the weights costs less than is gained


class Session:
    """The decoder's weights and the keys and values of the positions so far. For one thread at a time."""

    def __init__(
        self,
        graph: SessionGraph,
        head: Callable[[], HeadGraph],
        device: Device = CPU,
        *,
        threads: int | None = None,
    ) -> None:
        """head: it is made when the graph is open and has given back what it does not need any more.

        threads: None leaves it to onnxruntime. Raises UnsuitableDeviceError, and what onnxruntime raises.
        """
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

        self._decoder, self._device, self._threads = graph.decoder, device, threads
        self._values, self._cache_type = onnxruntime.OrtValue, graph.cache_type
        self._capacity = 0
        self._cache: list[OrtValue] = []
        self._prompt: BoundGraph | None = None
        self._hidden: Floats = np.empty((1, 0, 0), dtype=np.float32)
        self._logits: Floats = np.empty((0, 0), dtype=np.float32)
        self._bound = BoundGraph(graph, device, threads)
        some = [0, self._decoder.vocabulary_size // 2, self._decoder.vocabulary_size - 1]
        self._bound.give_back(graph, lambda: self._read(some, 0, 1))
        self._head = BoundGraph(last := head(), device, threads)
        self._head.give_back(last, lambda: self._answer(self._read(some, 0, 1)))

    def read_prompts_with(self, graph: PromptGraph) -> None:
        """From now on the graph reads a long step's tokens. Its weights stay where they are."""
        self._reserve(1)
        self._prompt = BoundGraph(graph, self._device, self._threads)
        for name, weight in graph.weights.items():
            self._prompt.bind_input(name, weight)
        self._prompt.bind_cache(self._cache)

    def step(self, tokens: Sequence[int], past: int, rows: int = 1) -> Floats:
        """The logits [rows, vocabulary] after the last `rows` of `tokens`, which follow the first `past` positions.

        The next step overwrites them. No rows: the tokens are only read. Raises what onnxruntime raises.
        """
        hidden = self._read(tokens, past, max(rows, 1))
        return self._answer(hidden) if rows else self._logits[:0]

    def _read(self, tokens: Sequence[int], past: int, rows: int) -> Floats:
        """What the head makes logits of [1, rows, hidden]."""
        total = past + len(tokens)
        self._reserve(total)
        many = self._prompt is not None and len(tokens) > _PROMPT_ROWS_MIN
        bound = self._prompt if self._prompt is not None and many else self._bound
        if self._hidden.shape[1] != rows:
            self._hidden = np.empty((1, rows, self._decoder.hidden_size), dtype=np.float32)
        bound.bind_output("hidden", self._hidden)
        bound.run(
            input_ids=np.array([tokens], dtype=np.int64),
            last_position=np.array([total - 1], dtype=np.int32),
            total_length=np.array(total, dtype=np.int32),
            first_row=np.array([-rows], dtype=np.int64),
        )
        return self._hidden

    def _answer(self, hidden: Floats) -> Floats:
        if len(self._logits) != hidden.shape[1]:
            self._logits = np.empty((hidden.shape[1], self._decoder.vocabulary_size), dtype=np.float32)
            self._head.bind_output("logits", self._logits[None])
        self._head.run(hidden=hidden)
        return self._logits

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
        for bound in filter(None, (self._bound, self._prompt)):
            bound.bind_cache(grown)


def _head_of(decoder: Decoder, onnx_path: Path, *, cuda: bool) -> HeadGraph:
    return head_graph(decoder, read_onnx(onnx_path).constants, cuda=cuda)


def open_session(decoder: Decoder, onnx_path: Path, *, threads: int | None = None) -> tuple[Session, list[Verdict]]:
    """The session on the best device that runs the whole model, and what became of each.

    Raises FormatError for a file that is no model, and what onnxruntime raises.
    """
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

    def open_on(device: Device) -> Session:
        # Graphs for each try: a session takes what it repacks out of them.
        # The file is mapped anew for each: nothing of it stays in memory while the next is repacked.
        cuda = device.memory == "cuda"
        graph = session_graph(decoder, read_onnx(onnx_path).constants, cuda=cuda)
        session = Session(graph, partial(_head_of, decoder, onnx_path, cuda=cuda), device, threads=threads)
        tensors = read_onnx(onnx_path).constants
        if device is CPU and takes_prompt_graph(tensors):
            session.read_prompts_with(prompt_graph(decoder, tensors))
        return session

    return chosen(onnxruntime.get_available_providers(), open_on)
