"""How fast this computer multiplies with a model's weights: measured once, kept, and used for every forecast.

What is timed is a random decoder large enough not to stay in the processor's cache, answering through onnxruntime as
real models do. A reply's speed follows from its weights, since decoding reads each of them once per token.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import tempfile
import time
import zlib
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from personal_ai.common.errors import FormatError
from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.models.decoder import Decoder, Rope, Weight, weights
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.local import LocalModel
from personal_ai.models.manifest import Manifest
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Floats, Quantisation
from personal_ai.models.sampling import Sampling

FORMAT_VERSION = 1
_MEASURED: Final[tuple[Quantisation, ...]] = ("int8", "int4")
_TOKENS = 24
_WARM_UP_TOKENS = 4
_POOL_SIZE = 1 << 20
_DECODER: Final = Decoder(
    architecture="llama",
    vocabulary_size=512,
    hidden_size=1024,
    layer_count=3,
    head_count=16,
    key_value_head_count=4,
    head_size=64,
    intermediate_size=4096,
    context_length=64,
    norm_epsilon=1e-5,
    activation="silu",
    rope=Rope(10_000.0),
    tied_embedding=True,
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
    qk_norm=False,
)


@dataclass(frozen=True, slots=True)
class Speed:
    """Multiplications with weights per second while decoding, by quantisation."""

    weights_per_s: dict[str, float]

    def tokens_per_s(self, quantisation: Quantisation, weights_per_token: int) -> float:
        """Of a reply. Unquantised weights were not measured: they are four times as many bytes as int8."""
        rate = self.weights_per_s["int8"] / 4 if quantisation == "f32" else self.weights_per_s[quantisation]
        return rate / weights_per_token


def known_speed(kept: Path) -> Speed | None:
    """What was measured on this computer before, if nothing about it has changed since."""
    try:
        fields = Fields(read_json(kept), kept.name)
        if fields.raw("version") != FORMAT_VERSION or fields.raw("machine") != _machine():
            return None
        rates = fields.fields("weights_per_s")
        return Speed({name: rates.number(name, 1.0, 1e15) for name in _MEASURED})
    except FormatError:
        return None


def measured_speed(kept: Path, on_progress: ProgressCallback = ignore_progress, cancel: Cancel | None = None) -> Speed:
    """What is known, else measured now (some seconds) and written to `kept`. Raises StorageError, Cancelled."""
    speed = known_speed(kept)
    if speed is None:
        meter = Meter("Measuring this computer", len(_MEASURED), "step", on_progress)
        speed = Speed({name: _measure(name, meter, cancel or Cancel()) for name in _MEASURED})
        content = {"version": FORMAT_VERSION, "machine": _machine(), "weights_per_s": speed.weights_per_s}
        write_atomically(kept, json.dumps(content, indent=1).encode() + b"\n", mode=0o644)
    return speed


def _machine() -> dict[str, object]:
    """What a measurement holds for."""
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and seldom needed

    return {"processors": os.cpu_count() or 1, "kind": platform.machine(), "onnxruntime": onnxruntime.__version__}


def _measure(quantisation: Quantisation, meter: Meter, cancel: Cancel) -> float:
    """Weights per second of the random decoder's replies."""
    from personal_ai.models.onnx_file import write_model  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_model(
            folder,
            _DECODER,
            _CheapWeights(),
            quantisation=quantisation,
            meter=Meter("", 1, "weights", ignore_progress),
            cancel=cancel,
        )
        model = LocalModel(ModelPackage(folder, _manifest(quantisation), ""), guess_ahead=False)
        try:
            token_s = _token_s(model, cancel)
        finally:
            model.close()
    meter.advance()
    return sum(weight.size for weight in weights(_DECODER) if weight.kind != "vector") / token_s


def _token_s(model: LocalModel, cancel: Cancel) -> float:
    """The median: others may be using this computer too."""
    times = [time.perf_counter()]
    model.generate(
        [1],
        max_tokens=_TOKENS,
        sampling=Sampling(),
        on_token=lambda _: times.append(time.perf_counter()),
        cancel=cancel,
    )
    steps = [after - before for before, after in pairwise(times)]
    return statistics.median(steps[_WARM_UP_TOKENS:])


def _manifest(quantisation: Quantisation) -> Manifest:
    return Manifest(
        name="speed",
        label="",
        description="",
        licence="",
        source="",
        revision="",
        quantisation=quantisation,
        parameters=1,
        end_tokens=(),
        stop_texts=(),
        network=_DECODER,
        files={},
    )


class _CheapWeights:
    """Random numbers from one small pool, another part of it for each weight."""

    def __init__(self) -> None:
        self._pool = np.random.default_rng(0).standard_normal(_POOL_SIZE).astype(np.float32) * np.float32(0.02)

    def vector(self, weight: Weight) -> Floats:
        return np.ones(weight.shape, dtype=np.float32)

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        inputs = weight.shape[0 if weight.kind == "matrix" else 1]
        first = zlib.crc32(f"{weight.name} {start}".encode()) % (_POOL_SIZE // 2)
        return np.resize(self._pool[first:], (inputs, stop - start))
