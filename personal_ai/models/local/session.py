"""A decoder in onnxruntime: one step after the other over a cache that stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.local.bound import BoundGraph
from personal_ai.models.local.devices import CPU, Device, Verdict, chosen
from personal_ai.models.local.session_graph import PromptGraph, SessionGraph, cached_head_size
from personal_ai.models.local.session_layers import prompt_graph, session_graph, takes_prompt_graph

if TYPE_CHECKING:
    from onnxruntime import OrtValue  # noqa: TID251 -- for the type checker alone

_CAPACITY_MIN: Final = 256
_PROMPT_ROWS_MIN: Final = 64  # from here on unpacking the weights costs less than is gained


class Session:
    """The decoder's weights and the keys and values of the positions so far. For one thread at a time."""

    def __init__(self, graph: SessionGraph, device: Device = CPU, *, threads: int | None = None) -> None:
        """threads: None leaves it to onnxruntime. Raises UnsuitableDeviceError, and what onnxruntime raises."""
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

        self._decoder, self._device, self._threads = graph.decoder, device, threads
        self._values, self._cache_type = onnxruntime.OrtValue, graph.cache_type
        self._logits: npt.NDArray[np.float32] = np.zeros(self._decoder.vocabulary_size, dtype=np.float32)
        self._capacity = 0
        self._cache: list[OrtValue] = []
        self._prompt: BoundGraph | None = None
        self._bound = BoundGraph(graph, device, threads)
        self._bound.bind_output("logits", self._logits[None, None])
        self._give_back(graph)

    def read_prompts_with(self, graph: PromptGraph) -> None:
        """From now on the graph reads all of a long step's tokens but the last. Its weights stay where they are."""
        self._reserve(1)
        self._prompt = BoundGraph(graph, self._device, self._threads)
        for name, weight in graph.weights.items():
            self._prompt.bind_input(name, weight)
        self._prompt.bind_cache(self._cache)

    def step(self, tokens: list[int], past: int) -> npt.NDArray[np.float32]:
        """The logits [vocabulary] after `tokens`, which follow the first `past` of the positions so far.

        The next step overwrites them. Raises what onnxruntime raises.
        """
        self._reserve(past + len(tokens))
        if self._prompt is not None and len(tokens) > _PROMPT_ROWS_MIN:
            self._prompt.run(tokens[:-1], past)
            past, tokens = past + len(tokens) - 1, tokens[-1:]
        self._bound.run(tokens, past)
        return self._logits

    def _give_back(self, graph: SessionGraph) -> None:
        """Frees the matrices that onnxruntime has repacked, which is most of the memory.

        It does not tell which it still reads. So the last of each kind is turned into other numbers, the one nearest to
        the logits, and they tell; where they are flat (an empty embedding, say) they could not, and nothing is freed.
        """
        probe = [0, self._decoder.vocabulary_size // 2, self._decoder.vocabulary_size - 1]
        lent = self._bound.lent
        for names in graph.matrices.values():
            kind = [name for name in names if name in lent]  # the smallest are within the model
            if not kind:
                continue
            tensor, before = lent[kind[-1]], self.step(probe, 0).copy()
            np.invert(tensor, out=tensor)
            repacked = np.ptp(before) > 0 and np.array_equal(self.step(probe, 0), before)
            np.invert(tensor, out=tensor)
            if repacked:
                for name in kind:
                    del lent[name], graph.tensors[name]

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


def open_session(decoder: Decoder, onnx_path: Path, *, threads: int | None = None) -> tuple[Session, list[Verdict]]:
    """The session on the best device that runs the whole model, and what became of each.

    Raises FormatError for a file that is no model, and what onnxruntime raises.
    """
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

    def open_on(device: Device) -> Session:
        # A graph for each try: a session takes what it repacks out of it.
        graph = session_graph(decoder, read_onnx(onnx_path).constants, cuda=device.memory == "cuda")
        session = Session(graph, device, threads=threads)
        tensors = read_onnx(onnx_path).constants  # mapped anew: nothing of the file stayed in memory while repacking
        if device is CPU and takes_prompt_graph(tensors):
            session.read_prompts_with(prompt_graph(decoder, tensors))
        return session

    return chosen(onnxruntime.get_available_providers(), open_on)
