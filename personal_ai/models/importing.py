"""A foreign model becomes a package of the library, or nothing at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.models import huggingface
from personal_ai.models.decoder import weights
from personal_ai.models.detection import open_foreign
from personal_ai.models.encoders.config import is_encoder
from personal_ai.models.encoders.importing import prepared_encoder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.manifest import MANIFEST_FILE, Manifest, checked_name, name_from
from personal_ai.models.package import ModelPackage, record_files
from personal_ai.models.prepared import Prepared, check_numbers
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
    cancel = cancel or Cancel()
    origin = origin or _origin(source)
    name = name_from(origin.label) if name is None else checked_name(name)
    opened = prepared_encoder(source) if is_encoder(source) else _prepared_decoder(source, context_length)
    with opened as model, library.adding(name) as folder:
        meter = Meter("Importing the model", model.parameters, "weights", on_progress)
        model.write(folder, quantisation=quantisation, meter=meter, cancel=cancel)
        for file, content in model.words.files.items():
            write_atomically(folder / file, content, mode=0o644)
        manifest = Manifest(
            name=name,
            label=label or origin.label,
            description=description,
            licence=origin.licence or model.licence,
            source=origin.source,
            revision=origin.revision,
            quantisation=quantisation,
            parameters=model.parameters,
            end_tokens=model.words.end_tokens,
            stop_texts=model.words.stop_texts,
            network=model.network,
            files=record_files(folder),
        )
        write_atomically(folder / MANIFEST_FILE, manifest.to_bytes(), mode=0o644)
        model.prove(ModelPackage.open(folder))
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


@contextmanager
def _prepared_decoder(source: Path, context_length: int) -> Iterator[Prepared]:
    from personal_ai.models.onnx_file import write_model  # noqa: PLC0415 -- ONNX takes long to load

    with open_foreign(source) as model:
        decoder = huggingface.parse_decoder(
            model.config, has_head=model.checkpoint.has_head, context_length=context_length
        )
        model.checkpoint.check(decoder)
        yield Prepared(
            network=decoder,
            parameters=sum(weight.size for weight in weights(decoder)),
            words=proven_words(model.words(), decoder.vocabulary_size),
            licence=model.licence,
            write=partial(write_model, decoder=decoder, source=model.checkpoint),
            prove=_prove,
        )


def _prove(package: ModelPackage) -> None:
    """A large one is not run: that takes more memory than the import may. Its weights were found to be numbers one by
    one when they were quantised, and its graph is checked.
    """
    if package.size_bytes > _RUN_MAX_SIZE_BYTES:
        from onnx import checker  # noqa: PLC0415 -- as above

        checker.check_model(str(package.onnx_path))
        return
    model = LocalModel(package)
    try:
        check_numbers(model.logits([0]))
    finally:
        model.close()
