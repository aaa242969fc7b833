"""A graph in onnxruntime, and the memory that it reads and writes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from personal_ai.compiler.onnx_graph import Array
from personal_ai.models.local import kernel
from personal_ai.models.local.devices import CPU, OWN_KERNEL, RECORD_ASSIGNMENT, Device, require_all
from personal_ai.models.local.session_graph import GIVEN_FILE, SessionGraph, cache_names, is_large

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, OrtValue, SessionOptions  # noqa: TID251 -- for the type checker alone

_LOG_ERRORS_ONLY: Final = 3
_FILES_FOLDER: Final = "session.model_external_initializers_file_folder_path"


class BoundGraph:
    """One graph, opened on one device. `lent` is what onnxruntime may still read of the graph's large tensors."""

    def __init__(self, graph: SessionGraph, device: Device, threads: int | None) -> None:
        """threads: None leaves it to onnxruntime, as sharing them does.

        Raises UnsuitableDeviceError, and what onnxruntime raises.
        """
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

        if device.memory == "cuda":
            with redirect_stdout(None):  # it prints what it misses, which `require_all` tells
                onnxruntime.preload_dlls()  # CUDA's libraries as pip installs them lie where no loader looks
        self._decoder, self._device = graph.decoder, device
        self._values = onnxruntime.OrtValue
        self.lent = {name: np.ascontiguousarray(tensor) for name, tensor in graph.tensors.items() if is_large(tensor)}
        options = _options(device, threads)
        session = self._opened(graph, options)
        require_all(session, device)
        self._session, self._binding = session, session.io_binding()
        self._bound: dict[str, OrtValue] = {}

    def give_back(self, graph: SessionGraph, outputs: Callable[[], npt.NDArray[np.float32]]) -> None:
        """Frees the graph's matrices that onnxruntime has repacked, which is most of the memory.

        It does not tell which it still reads. So the last of each kind is turned into other numbers, the one nearest to
        the outputs (what a run gives), and they tell; where they are flat (an empty embedding, say) they could not, and
        nothing is freed.
        """
        for names in graph.matrices.values():
            kind = [name for name in names if name in self.lent]  # the smallest are within the model
            if not kind:
                continue
            tensor, before = self.lent[kind[-1]], outputs().copy()
            np.invert(tensor, out=tensor)
            repacked = np.ptp(before) > 0 and np.array_equal(outputs(), before)
            np.invert(tensor, out=tensor)
            if repacked:
                for name in kind:
                    del self.lent[name], graph.tensors[name]

    def bind_input(self, name: str, values: Array) -> None:
        """Onnxruntimes before 1.32, as they are for GPUs, do not keep alive what is bound."""
        self._bound[name] = self._values.ortvalue_from_numpy(values)
        self._binding.bind_ortvalue_input(name, self._bound[name])

    def bind_output(self, name: str, values: Array) -> None:
        self._binding.bind_ortvalue_output(name, self._values.ortvalue_from_numpy(values))

    def bind_cache(self, cache: list[OrtValue]) -> None:
        """Keys and values, layer by layer: what is new is written beside what is read."""
        for past, present, value in zip(
            cache_names(self._decoder, "past_key_values"), cache_names(self._decoder, "present"), cache, strict=True
        ):
            self._binding.bind_ortvalue_input(past, value)
            self._binding.bind_ortvalue_output(present, value)

    def run(self, **inputs: Array) -> None:
        """Raises what onnxruntime raises."""
        for name, values in inputs.items():  # each time: what lies on another device is a copy, made when it is bound
            self.bind_input(name, values)
        self._session.run_with_iobinding(self._binding)

    def _opened(self, graph: SessionGraph, options: SessionOptions) -> InferenceSession:
        """onnxruntime copies what it is given beside the model, but for what is shared with it, which it never changes.

        For that it wants the file that the model names, though it never reads it: an empty one of the right length.
        """
        from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415

        values = {name: self._values.ortvalue_from_numpy(tensor) for name, tensor in self.lent.items()}
        shared = graph.as_given & set(values) if self._device.provider == CPU.provider else set()
        copied = [name for name in values if name not in shared]
        options.add_external_initializers(copied, [values[name] for name in copied])
        for name in shared:
            options.add_initializer(name, values[name])
        providers = list(dict.fromkeys((self._device.provider, CPU.provider)))
        with tempfile.TemporaryDirectory() as folder:
            with Path(folder, GIVEN_FILE).open("wb") as file:
                file.truncate(max((tensor.nbytes for tensor in self.lent.values()), default=0))
            options.add_session_config_entry(_FILES_FOLDER, folder)
            return onnxruntime.InferenceSession(graph.model().SerializeToString(), options, providers=providers)


def _options(device: Device, threads: int | None) -> SessionOptions:
    from personal_ai.models.runtime import onnxruntime, shares_threads  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    options.add_session_config_entry(RECORD_ASSIGNMENT, "1")
    if device.memory == "dml":
        options.enable_mem_pattern = False  # DirectML asks for it
    if device is OWN_KERNEL:
        options.register_custom_ops_library(str(kernel.library()))
    if shares_threads():
        options.use_per_session_threads = False
    elif threads is not None:
        options.intra_op_num_threads = threads
    return options
