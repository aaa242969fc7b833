"""A folder with an encoder, opened to be imported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from personal_ai.common.errors import FormatError
from personal_ai.models.checkpoint import weight_files
from personal_ai.models.encoders.checkpoint import EncoderCheckpoint
from personal_ai.models.encoders.config import CONFIG_FILE, parse_encoder
from personal_ai.models.encoders.embedder import Embedder, text_tokenizer
from personal_ai.models.encoders.encoder import Encoder, weights
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.folder import card_licence
from personal_ai.models.manifest import TEMPLATE_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from personal_ai.models.package import ModelPackage
from personal_ai.models.prepared import Prepared, check_numbers
from personal_ai.models.words import Words, folder_words


@contextmanager
def prepared_encoder(source: Path) -> Iterator[Prepared]:
    """Raises UnsupportedModelError with every reason, FormatError."""
    from personal_ai.models.onnx_file import write_encoder  # noqa: PLC0415 -- ONNX takes long to load

    encoder = parse_encoder(source)
    with weight_files(source) as files:
        checkpoint = EncoderCheckpoint(files)
        checkpoint.check(encoder)
        yield Prepared(
            network=encoder,
            parameters=sum(weight.size for weight in weights(encoder)),
            words=_words(source, encoder),
            licence=card_licence(source),
            write=partial(write_encoder, encoder=encoder, source=checkpoint),
            prove=_prove,
        )


def _words(source: Path, encoder: Encoder) -> Words:
    """An encoder has no turns: its template is empty, and nothing ends a reply."""
    words = folder_words(source, Fields(read_json(source / CONFIG_FILE), CONFIG_FILE))
    tokenizer = text_tokenizer(words.tokenizer_json, encoder.context_length)
    if tokenizer.get_vocab_size() > encoder.vocabulary_size:
        raise FormatError("The tokenizer has more tokens than the model: they do not fit.")
    files = {TOKENIZER_FILE: words.tokenizer_json, TOKENIZER_CONFIG_FILE: words.settings_json, TEMPLATE_FILE: b""}
    return Words(files, end_tokens=(), stop_texts=())


def _prove(package: ModelPackage) -> None:
    check_numbers(Embedder(package).embed("A text."))
