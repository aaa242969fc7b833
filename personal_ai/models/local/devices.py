"""What onnxruntime can compute on here, what is chosen, and why the others are not.

An accelerator is worth it only where it runs every product and every attention: anything that it lacks goes to the
processor and back at each token, which costs more than it saves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeVar

from personal_ai.models.local import kernel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # noqa: TID251 -- for the type checker alone

Opened = TypeVar("Opened")

RECORD_ASSIGNMENT: Final = "session.record_ep_graph_assignment_info"  # the session option that `require_all` needs
_HEAVY_OPERATORS: Final = (kernel.OPERATOR, "MatMulNBits", "MatMul", "GroupQueryAttention")


class UnsuitableDeviceError(Exception):
    """The device would be slower than the processor. It never leaves the choice of a device."""


@dataclass(frozen=True, slots=True)
class Device:
    """One of onnxruntime's execution providers. memory: where its tensors lie, in onnxruntime's words."""

    label: str
    provider: str
    memory: Literal["cpu", "cuda", "dml"] = "cpu"


CPU: Final = Device("processor", "CPUExecutionProvider")
OWN_KERNEL: Final = Device("processor, own kernel", CPU.provider)
# The most capable first.
ACCELERATORS: Final = (
    Device("NVIDIA GPU (CUDA)", "CUDAExecutionProvider", "cuda"),
    Device("GPU (DirectML)", "DmlExecutionProvider", "dml"),
    Device("Intel GPU or NPU (OpenVINO)", "OpenVINOExecutionProvider"),
    Device("Apple GPU or Neural Engine (CoreML)", "CoreMLExecutionProvider"),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one device: chosen or not, and why, in words for the user."""

    label: str
    chosen: bool
    reason: str


def candidates(available: Collection[str]) -> list[Device]:
    """Those of the available providers (`onnxruntime.get_available_providers()`) to try, in order; the CPU last.

    Azure's, which would send the words away, is not among them.
    """
    accelerators = [device for device in ACCELERATORS if device.provider in available]
    return [*accelerators, *([OWN_KERNEL] if kernel.library() else []), CPU]


def chosen(available: Collection[str], open_on: Callable[[Device], Opened]) -> tuple[Opened, list[Verdict]]:
    """What `open_on` gives for the first device that does not raise, and what became of each device.

    Raises what the CPU raises: after it there is nothing to try.
    """
    verdicts = [
        Verdict(device.label, False, "the onnxruntime that is installed here has no support for it")
        for device in ACCELERATORS
        if device.provider not in available
    ]
    if not kernel.library():
        verdicts.append(Verdict(OWN_KERNEL.label, False, "it is not built for this kind of computer"))
    for device in candidates(available):
        try:
            opened = open_on(device)
        except Exception as error:
            if device is CPU:
                raise
            verdicts.append(Verdict(device.label, False, str(error).partition("\n")[0][:200]))
        else:
            break
    reasons = {CPU: "nothing else can be used", OWN_KERNEL: "it is the fastest that can be used"}
    verdicts.append(Verdict(device.label, True, reasons.get(device, "it runs the whole model")))
    return opened, verdicts


def require_all(session: InferenceSession, device: Device) -> None:
    """Raises UnsuitableDeviceError when heavy operators of the session run elsewhere than on the device.

    onnxruntime goes on without a device that it cannot start, and tells only its log why.
    """
    if device.provider not in session.get_providers():
        raise UnsuitableDeviceError("its driver or its libraries cannot be loaded, or there is no such device")
    parts = session.get_provider_graph_assignment_info()
    heavy = [(part.ep_name, node.op_type) for part in parts for node in part.get_nodes()]
    heavy = [(provider, operator) for provider, operator in heavy if operator in _HEAVY_OPERATORS]
    missing = [operator for provider, operator in heavy if provider != device.provider]
    if missing:
        kinds = ", ".join(sorted(set(missing)))
        raise UnsuitableDeviceError(f"it cannot run {len(missing)} of the {len(heavy)} heavy steps ({kinds})")
