"""A foreign model becomes a package of the library, or nothing at all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from personal_ai.common.errors import FormatError
from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.models import huggingface
from personal_ai.models.decoder import Decoder, weights
from personal_ai.models.detection import open_foreign
from personal_ai.models.encoders.config import is_encoder
from personal_ai.models.encoders.importing import import_encoder
from personal_ai.models.folder import card_licence
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.manifest import MANIFEST_FILE, Manifest, checked_name, name_from
from personal_ai.models.package import ModelPackage, record_files
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.words import proven_words

__all__ = ["Origin", "Quantisation", "import_folder"]

_UNKNOWN = "unknown"
_RUN_MAX_SIZE_BYTES = 128 << 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from, as its manifest will say; `licence` None: as the folder's model card says."""

    label: str
    source: str
    revision: str
    licence: str | None = None


def import_folder(
    source: Path,
    library: Library,
    *,
    name: str | None = None,
    label: str | None = None,
    description: str = "",
    origin: Origin | None = None,
    quantisation: Quantisation = "int8",
    context_length: int = huggingface.DEFAULT_CONTEXT_LENGTH,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> ModelPackage:
    """Takes the model in `source` into the library; its context is cut to `context_length` tokens.

    name: the package's; made from the folder's where not given. label: its name for people. origin: told by the
    folder where not given. Progress counts weights.
    Raises UnsupportedModelError with every reason, FormatError for broken files, BadInputError for a name that is
    taken, StorageError, Cancelled. Whatever is raised leaves the library as it was.
    """
    # The ONNX library takes long to load, and only an import needs it.
    from personal_ai.models.onnx_file import write_model  # noqa: PLC0415

    cancel = cancel or Cancel()
    origin = origin or _origin(source)
    name = name_from(origin.label) if name is None else checked_name(name)
    if is_encoder(source):
        return import_encoder(
            source,
            library,
            name=name,
            label=label or origin.label,
            description=description,
            licence=origin.licence or card_licence(source),
            source=origin.source,
            revision=origin.revision,
            quantisation=quantisation,
            on_progress=on_progress,
            cancel=cancel,
        )
    with open_foreign(source) as model:
        decoder = huggingface.parse_decoder(
            model.config, has_head=model.checkpoint.has_head, context_length=context_length
        )
        model.checkpoint.check(decoder)
        words = proven_words(model.words(), decoder.vocabulary_size)
        with library.adding(name) as folder:
            meter = Meter("Importing the model", _parameters(decoder), "weights", on_progress)
            write_model(folder, decoder, model.checkpoint, quantisation=quantisation, meter=meter, cancel=cancel)
            for file, content in words.files.items():
                write_atomically(folder / file, content, mode=0o644)
            manifest = Manifest(
                name=name,
                label=label or origin.label,
                description=description,
                licence=origin.licence or model.licence,
                source=origin.source,
                revision=origin.revision,
                quantisation=quantisation,
                parameters=_parameters(decoder),
                end_tokens=words.end_tokens,
                stop_texts=words.stop_texts,
                network=decoder,
                files=record_files(folder),
            )
            write_atomically(folder / MANIFEST_FILE, manifest.to_bytes(), mode=0o644)
            _prove(ModelPackage.open(folder))
            cancel.raise_if_cancelled()
    return library.get(name)


def _origin(source: Path) -> Origin:
    """The model's id and revision where the folder lies in a Hugging Face cache, else the folder's name alone."""
    folder = Path(str(source.absolute()).encode(errors="replace").decode())
    cached = re.fullmatch(r"models--(.+?)--(.+)", folder.parent.parent.name)
    if folder.parent.name == "snapshots" and cached:
        return Origin(cached[2], f"{cached[1]}/{cached[2]}", folder.name)
    name = folder.stem if source.is_file() else folder.name
    return Origin(name, name, _UNKNOWN)


def _parameters(decoder: Decoder) -> int:
    return sum(weight.size for weight in weights(decoder))


def _prove(package: ModelPackage) -> None:
    """The written model loads and answers with numbers. Raises DamagedFileError, FormatError.

    A large one is not run: that takes more memory than the import may. Its weights were found to be numbers one by one
    when they were quantised, and its graph is checked.
    """
    if package.size_bytes > _RUN_MAX_SIZE_BYTES:
        from onnx import checker  # noqa: PLC0415 -- as above

        checker.check_model(str(package.onnx_path))
        return
    model = LocalModel(package)
    try:
        if not np.isfinite(model.logits([0])).all():
            raise FormatError("The model's answers are not numbers; its weights are broken.")
    finally:
        model.close()
