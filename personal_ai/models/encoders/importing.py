"""A folder with an encoder becomes a package of the library, or nothing at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from personal_ai.common.errors import FormatError
from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.models.checkpoint import weight_files
from personal_ai.models.encoders.checkpoint import EncoderCheckpoint
from personal_ai.models.encoders.config import CONFIG_FILE, parse_encoder
from personal_ai.models.encoders.embedder import Embedder, text_tokenizer
from personal_ai.models.encoders.encoder import weights
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.library import Library
from personal_ai.models.manifest import (
    MANIFEST_FILE,
    TEMPLATE_FILE,
    TOKENIZER_CONFIG_FILE,
    TOKENIZER_FILE,
    Manifest,
)
from personal_ai.models.package import ModelPackage, record_files
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.words import folder_words


def import_encoder(
    folder: Path,
    library: Library,
    *,
    name: str,
    label: str,
    description: str,
    licence: str,
    source: str,
    revision: str,
    quantisation: Quantisation,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> ModelPackage:
    """As `importing.import_folder`, which calls this one."""
    from personal_ai.models.onnx_file import write_encoder  # noqa: PLC0415 -- ONNX takes long to load

    encoder = parse_encoder(folder)
    parameters = sum(weight.size for weight in weights(encoder))
    with weight_files(folder) as files:
        checkpoint = EncoderCheckpoint(files)
        checkpoint.check(encoder)
        words = folder_words(folder, Fields(read_json(folder / CONFIG_FILE), CONFIG_FILE))
        tokenizer = text_tokenizer(words.tokenizer_json, encoder.context_length)
        if tokenizer.get_vocab_size() > encoder.vocabulary_size:
            raise FormatError("The tokenizer has more tokens than the model: they do not fit.")
        with library.adding(name) as target:
            meter = Meter("Importing the model", parameters, "weights", on_progress)
            write_encoder(target, encoder, checkpoint, quantisation=quantisation, meter=meter, cancel=cancel)
            contents = {TOKENIZER_FILE: words.tokenizer_json, TOKENIZER_CONFIG_FILE: words.settings_json}
            for file, content in {**contents, TEMPLATE_FILE: b""}.items():  # an encoder has no turns
                write_atomically(target / file, content, mode=0o644)
            manifest = Manifest(
                name=name,
                label=label,
                description=description,
                licence=licence,
                source=source,
                revision=revision,
                quantisation=quantisation,
                parameters=parameters,
                end_tokens=(),
                stop_texts=(),
                network=encoder,
                files=record_files(target),
            )
            write_atomically(target / MANIFEST_FILE, manifest.to_bytes(), mode=0o644)
            _prove(ModelPackage.open(target))
            cancel.raise_if_cancelled()
    return library.get(name)


def _prove(package: ModelPackage) -> None:
    """The written model loads and answers with numbers. Raises DamagedFileError, FormatError."""
    if not np.isfinite(Embedder(package).embed("A text.")).all():
        raise FormatError("The model's answers are not numbers; its weights are broken.")
