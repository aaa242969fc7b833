"""A decoder in onnxruntime: one step after the other over a cache that stays where it is."""

from __future__ import annotations

import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import Array, read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.local.devices import CPU, RECORD_ASSIGNMENT, Device, Verdict, chosen, require_all
from personal_ai.models.local.session_graph import (
    GIVEN_FILE,
    SessionGraph,
    cache_names,
    cached_head_size,
    is_large,
    session_graph,
)

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue, SessionOptions  # noqa: TID251 -- for the type checker alone

_LOG_ERRORS_ONLY: Final = 3
_FILES_FOLDER: Final = "session.model_external_initializers_file_folder_path"
_CAPACITY_MIN: Final = 256


class Session:
    """The decoder's weights and the keys and values of the positions so far. For one thread at a time."""

    def __init__(self, graph: SessionGraph, device: Device = CPU, *, threads: int | None = None) -> None:
        """threads: None leaves it to onnxruntime. Raises UnsuitableDeviceError, and what onnxruntime raises."""
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

        if device.memory == "cuda":
            with redirect_stdout(None):  # it prints what it misses, which `require_all` tells
                onnxruntime.preload_dlls()  # CUDA's libraries as pip installs them lie where no loader looks
        self._decoder, self._device = graph.decoder, device
        self._values = onnxruntime.OrtValue
        self._lent = {name: np.ascontiguousarray(tensor) for name, tensor in graph.tensors.items() if is_large(tensor)}
        self._session = self._opened(graph, _options(device, threads))
        require_all(self._session, device)
        self._cache_type = graph.cache_type
        self._binding = self._session.io_binding()
        self._last_position, self._total_length = np.zeros(1, dtype=np.int32), np.zeros((), dtype=np.int32)
        self._logits: npt.NDArray[np.float32] = np.zeros(self._decoder.vocabulary_size, dtype=np.float32)
        self._binding.bind_ortvalue_output("logits", self._values.ortvalue_from_numpy(self._logits[None, None]))
        self._bound: dict[str, OrtValue] = {}
        self._capacity = 0
        self._cache: list[OrtValue] = []
        self._give_back(graph)

    def step(self, tokens: list[int], past: int) -> npt.NDArray[np.float32]:
        """The logits [vocabulary] after `tokens`, which follow the first `past` of the positions so far.

        The next step overwrites them. Raises what onnxruntime raises.
        """
        total = past + len(tokens)
        self._reserve(total)
        self._last_position[0], self._total_length[...] = total - 1, total
        # Each time: what lies on another device is a copy, made when it is bound.
        self._bind_input("last_position", self._last_position)
        self._bind_input("total_length", self._total_length)
        self._bind_input("input_ids", np.array([tokens], dtype=np.int64))
        self._session.run_with_iobinding(self._binding)
        return self._logits

    def _opened(self, graph: SessionGraph, options: SessionOptions) -> InferenceSession:
        """onnxruntime copies what it is given beside the model, but for what is shared with it, which it never changes.

        For that it wants the file that the model names, though it never reads it: an empty one of the right length.
        """
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

        values = {name: self._values.ortvalue_from_numpy(tensor) for name, tensor in self._lent.items()}
        shared = graph.integers_as_given & set(values) if self._device is CPU else set()
        copied = [name for name in values if name not in shared]
        options.add_external_initializers(copied, [values[name] for name in copied])
        for name in shared:
            options.add_initializer(name, values[name])
        providers = list(dict.fromkeys((self._device.provider, CPU.provider)))
        with tempfile.TemporaryDirectory() as folder:
            with Path(folder, GIVEN_FILE).open("wb") as file:
                file.truncate(max((tensor.nbytes for tensor in self._lent.values()), default=0))
            options.add_session_config_entry(_FILES_FOLDER, folder)
            return onnxruntime.InferenceSession(graph.model().SerializeToString(), options, providers=providers)

    def _bind_input(self, name: str, values: Array) -> None:
        """Onnxruntimes before 1.32, as they are for GPUs, do not keep alive what is bound."""
        self._bound[name] = self._values.ortvalue_from_numpy(values)
        self._binding.bind_ortvalue_input(name, self._bound[name])

    def _give_back(self, graph: SessionGraph) -> None:
        """Frees the matrices that onnxruntime has repacked, which is most of the memory.

        It does not tell which it still reads. So the last of each kind is turned into other numbers, the one nearest to
        the logits, and they tell; where they are flat (an empty embedding, say) they could not, and nothing is freed.
        """
        probe = [0, self._decoder.vocabulary_size // 2, self._decoder.vocabulary_size - 1]
        for names in graph.matrices.values():
            kind = [name for name in names if name in self._lent]  # the smallest are within the model
            if not kind:
                continue
            tensor, before = self._lent[kind[-1]], self.step(probe, 0).copy()
            np.invert(tensor, out=tensor)
            repacked = np.ptp(before) > 0 and np.array_equal(self.step(probe, 0), before)
            np.invert(tensor, out=tensor)
            if repacked:
                for name in kind:
                    del self._lent[name], graph.tensors[name]

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
        for past, present, value in zip(
            cache_names(self._decoder, "past_key_values"), cache_names(self._decoder, "present"), grown, strict=True
        ):
            self._binding.bind_ortvalue_input(past, value)
            self._binding.bind_ortvalue_output(present, value)


def _options(device: Device, threads: int | None) -> SessionOptions:
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    if device.memory == "dml":
        options.enable_mem_pattern = False  # DirectML asks for it
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def open_session(decoder: Decoder, onnx_path: Path, *, threads: int | None = None) -> tuple[Session, list[Verdict]]:
    """The session on the best device that runs the whole model, and what became of each.

    Raises FormatError for a file that is no model, and what onnxruntime raises.
    """
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

    def open_on(device: Device) -> Session:
        # A graph for each try: a session takes what it repacks out of it.
        graph = session_graph(decoder, read_onnx(onnx_path).constants, cuda=device.memory == "cuda")
        return Session(graph, device, threads=threads)

    return chosen(onnxruntime.get_available_providers(), open_on)
