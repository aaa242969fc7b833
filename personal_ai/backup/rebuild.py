"""A model's package again from what its canister holds: program, tokenizer, template and manifest.

The manifest has the hash of every file of the package: what is rebuilt is the very same, or nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from personal_ai.common.errors import DamagedFileError, FormatError
from personal_ai.common.files import sha256_of_file, write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.compiler.obstacles import ModelObstaclesError
from personal_ai.models.decoder import Decoder, Weight, weights
from personal_ai.models.library import Library
from personal_ai.models.manifest import MANIFEST_FILE, MODEL_FILE, WORD_FILES, Manifest
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Floats


class _Zeros:
    """A `WeightSource` of nothing: for a package of the right shape."""

    def vector(self, weight: Weight) -> Floats:
        return np.zeros(weight.shape, np.float32)

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        inputs = weight.shape[0] if weight.kind == "matrix" else weight.shape[1]
        return np.zeros((inputs, stop - start), np.float32)


def rebuild(
    words: Mapping[str, bytes],
    program: Path,
    library: Library,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> ModelPackage:
    """The package into the library. words: the canister's files but the program, by name.

    Raises FormatError, UnknownVersionError for a manifest that is none, BadInputError where the library has a model of
    this name, DamagedFileError where what comes out is not what the manifest says, StorageError, Cancelled.
    """
    # The ONNX library takes long to load, and only importing and rebuilding need it.
    from personal_ai.compiler.unpacking import restore_weights  # noqa: PLC0415
    from personal_ai.models.onnx_file import write_model  # noqa: PLC0415

    cancel = cancel or Cancel()
    manifest = Manifest.from_bytes(words[MANIFEST_FILE])
    with library.adding(manifest.name) as folder:
        for name in WORD_FILES:
            write_atomically(folder / name, words[name], mode=0o644)
        meter = Meter("Laying out the model", _size(manifest.decoder), "weights", on_progress)
        write_model(folder, manifest.decoder, _Zeros(), quantisation=manifest.quantisation, meter=meter, cancel=cancel)
        meter = Meter("Reading the weights", program.stat().st_size, "bytes", on_progress)
        try:
            restore_weights(folder / MODEL_FILE, program, meter, cancel)
        except ModelObstaclesError as error:
            raise FormatError("The canister's program is not that of its manifest.") from error
        for name, record in manifest.files.items():
            if sha256_of_file(folder / name) != record.sha256:
                raise DamagedFileError(
                    f"The file {name} of {manifest.name} could not be rebuilt as it was.",
                    not_lost="The canister still answers; nothing was added here.",
                    next_step="Import the model again from where it came.",
                )
        write_atomically(folder / MANIFEST_FILE, words[MANIFEST_FILE], mode=0o644)
    return library.get(manifest.name)


def _size(decoder: Decoder) -> int:
    return sum(weight.size for weight in weights(decoder))
