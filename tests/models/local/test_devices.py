"""Which device is chosen, and why the others are not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from personal_ai.models.local import kernel
from personal_ai.models.local.devices import (
    ACCELERATORS,
    CPU,
    OWN_KERNEL,
    Device,
    UnsuitableDeviceError,
    candidates,
    chosen,
    require_all,
)

CUDA, DIRECTML, *_ = ACCELERATORS
AVAILABLE = ["AzureExecutionProvider", CPU.provider, DIRECTML.provider, CUDA.provider]


def test_accelerators_come_first_and_nothing_leaves_this_computer() -> None:
    assert candidates(AVAILABLE) == [CUDA, DIRECTML, OWN_KERNEL, CPU]
    assert candidates(["AzureExecutionProvider"]) == [OWN_KERNEL, CPU]


def test_where_there_is_no_library_onnxruntime_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "library", lambda: None)
    opened, verdicts = chosen([], lambda device: device)
    assert opened is CPU
    assert [verdict.reason for verdict in verdicts if verdict.label == OWN_KERNEL.label] == [
        "it is not built for this kind of computer"
    ]


def test_the_first_that_opens_is_chosen() -> None:
    opened, verdicts = chosen(AVAILABLE, lambda device: device.label)
    assert opened == CUDA.label
    assert [verdict.label for verdict in verdicts if verdict.chosen] == [CUDA.label]
    absent = [verdict for verdict in verdicts if not verdict.chosen]
    assert {verdict.label for verdict in absent} == {device.label for device in ACCELERATORS[2:]}
    assert all("no support" in verdict.reason for verdict in absent)


def test_what_fails_is_passed_over_with_its_reason() -> None:
    def open_on(device: Device) -> Device:
        if device is not CPU:
            raise RuntimeError(f"{device.label}: no driver\nand much more")
        return device

    opened, verdicts = chosen(AVAILABLE, open_on)
    assert opened is CPU
    reasons = {verdict.label: verdict.reason for verdict in verdicts}
    assert reasons[CUDA.label] == f"{CUDA.label}: no driver"
    assert verdicts[-1].label == CPU.label and verdicts[-1].chosen


def test_without_the_processor_there_is_nothing() -> None:
    def open_on(_: Device) -> None:
        raise RuntimeError("damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        chosen(AVAILABLE, open_on)


@dataclass
class _Node:
    op_type: str


@dataclass
class _Part:
    ep_name: str
    operators: list[str]

    def get_nodes(self) -> list[_Node]:
        return [_Node(operator) for operator in self.operators]


@dataclass
class _Session:
    parts: list[_Part] = field(default_factory=list)
    providers: tuple[str, ...] = (CUDA.provider, CPU.provider)

    def get_providers(self) -> tuple[str, ...]:
        return self.providers

    def get_provider_graph_assignment_info(self) -> list[_Part]:
        return self.parts


def test_a_device_must_run_every_heavy_step() -> None:
    light = _Part(CPU.provider, ["Shape", "Gather"])
    require_all(_Session([_Part(CUDA.provider, ["MatMulNBits", "GroupQueryAttention"]), light]), CUDA)
    torn = _Session([_Part(CUDA.provider, ["GroupQueryAttention"]), _Part(CPU.provider, ["MatMulNBits"] * 3), light])
    with pytest.raises(UnsuitableDeviceError, match=r"3 of the 4 heavy steps \(MatMulNBits\)"):
        require_all(torn, CUDA)


def test_a_device_that_did_not_start_says_so() -> None:
    with pytest.raises(UnsuitableDeviceError, match="driver"):
        require_all(_Session([_Part(CPU.provider, ["MatMulNBits"])], (CPU.provider,)), CUDA)
