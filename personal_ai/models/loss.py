"""What quantisation cost a model: how well it foretells a text, and how often it agrees with the unquantised original.

The text is told to the model as a reply of its own, since that is what it writes. Perplexity is e to the mean of
-ln p(token) over the text's tokens; agreement is the share of them at which both find the same token likeliest.
docs/formats/loss.md describes the file that keeps the figures beside the package.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np

from personal_ai.common.errors import BadInputError, Cancelled, FormatError, UserFacingError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.common.paths import resource
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.tokenizer import ChatTokenizer

LOSS_FILE: Final = "loss.json"
FORMAT: Final = "personal-ai quantisation loss"
VERSION: Final = 1
PROSE_FILE: Final = "prose.txt"
TOKENS_MAX: Final = 512
ORIGINAL_SIZE_BYTES_MAX: Final = 1 << 30  # as f32: a larger one is compared only when asked for
_WINDOW_MAX = 256
_TEXT_SIZE_BYTES_MAX = 1 << 20
_REQUEST = Message("user", "Please write a page about everyday things.")
_F32_SIZE_BYTES = 4


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model made of a text: -ln p of each token, and the token that it found likeliest there."""

    nats: tuple[float, ...]
    likeliest: tuple[int, ...]

    @property
    def perplexity(self) -> float:
        return math.exp(sum(self.nats) / len(self.nats))


@dataclass(frozen=True, slots=True)
class Loss:
    """A package beside its original on the same `tokens` tokens. agreement: from 0 to 1."""

    tokens: int
    perplexity: float
    original_perplexity: float
    agreement: float


def bundled_prose() -> str:
    """A page of English prose that comes with the program."""
    return resource(PROSE_FILE).read_text("utf-8")


def text_of(path: Path) -> str:
    """The beginning of a file of the user's, enough for a reading. Raises StorageError."""
    with storage_errors(f"read {path.name}"), path.open("rb") as file:
        return file.read(_TEXT_SIZE_BYTES_MAX).decode(errors="replace")


def read_text(
    package: ModelPackage,
    text: str,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Reading:
    """Has a model foretell `text`, up to `TOKENS_MAX` tokens of it, on this computer.

    Raises BadInputError for a text without two tokens or a model that does not write, Cancelled, and what loading it
    raises.
    """
    tokenizer = ChatTokenizer(package)
    before = tokenizer.encode_chat([_REQUEST])
    tokens = tokenizer.encode_text(text)[:TOKENS_MAX]
    window = min(_WINDOW_MAX, package.manifest.decoder.context_length - len(before))
    if len(tokens) < 2 or window < 1:
        raise BadInputError("The text is too short to measure a model with.", next_step="Choose a page of prose.")
    meter = Meter(f"Measuring {package.manifest.label or package.name}", len(tokens), "tokens", on_progress)
    cancel = cancel or Cancel()
    with closing(LocalModel(package)) as model:
        nats, likeliest = [], []
        for start in range(0, len(tokens), window):
            for cost, best in _foretold(model, before, tokens[start : start + window], meter, cancel):
                nats.append(cost)
                likeliest.append(best)
    return Reading(tuple(nats), tuple(likeliest))


def compared(package: Reading, original: Reading) -> Loss:
    """Two readings of the same tokens."""
    same = sum(left == right for left, right in zip(package.likeliest, original.likeliest, strict=True))
    count = len(package.likeliest)
    return Loss(count, package.perplexity, original.perplexity, same / count)


def original_size_bytes(package: ModelPackage) -> int:
    """What the unquantised original takes, on the disk and in memory, while it is measured."""
    return _F32_SIZE_BYTES * package.manifest.parameters


def measure_loss(
    package: ModelPackage,
    source: Path,
    library: Library,
    text: str,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Loss:
    """A package beside the model in `source` that it was made from, and keeps the figures with the package.

    The original is imported unquantised into a folder of `library`'s that vanishes again.
    Raises BadInputError when `source` has other tokens or holds another kind of model, and as `import_folder` and
    `read_text`.
    """
    reading = read_text(package, text, on_progress=on_progress, cancel=cancel)
    with library.scratch() as folder:
        original = import_folder(
            source,
            Library(folder),
            name="original",
            label="the original",
            quantisation="f32",
            context_length=package.manifest.context_length,
            on_progress=on_progress,
            cancel=cancel,
        )
        if original.manifest.network != package.manifest.network:
            raise BadInputError(
                f"{source.name} is not the model that {package.name} was made from.",
                next_step="Choose the folder that it was imported from.",
            )
        loss = compared(reading, read_text(original, text, on_progress=on_progress, cancel=cancel))
    _keep(package, loss)
    return loss


def measured_after_import(
    package: ModelPackage,
    source: Path,
    library: Library,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> None:
    """Measures a model that was just imported on the bundled prose; an import is no worse for what hinders that.

    Not done to embedding models, to what was not quantised, and to originals too large to do it unasked.
    """
    manifest = package.manifest
    if isinstance(manifest.network, Encoder) or manifest.quantisation == "f32":
        return
    if original_size_bytes(package) <= ORIGINAL_SIZE_BYTES_MAX:
        with suppress(UserFacingError, Cancelled):
            measure_loss(package, source, library, bundled_prose(), on_progress=on_progress, cancel=cancel)


def known_loss(package: ModelPackage) -> Loss | None:
    """What was measured of this very package, if it was."""
    try:
        fields = Fields(read_json(package.folder / LOSS_FILE), LOSS_FILE)
        if (fields.raw("format"), fields.raw("version")) != (FORMAT, VERSION):
            return None
        if fields.raw("manifest_sha256") != package.manifest_sha256:
            return None
        return Loss(
            tokens=fields.integer("tokens", 1, TOKENS_MAX),
            perplexity=fields.number("perplexity", 1.0, 1e30),
            original_perplexity=fields.number("original_perplexity", 1.0, 1e30),
            agreement=fields.number("agreement", 0.0, 1.0),
        )
    except FormatError:
        return None


def _keep(package: ModelPackage, loss: Loss) -> None:
    content = {"format": FORMAT, "version": VERSION, "manifest_sha256": package.manifest_sha256, **asdict(loss)}
    write_atomically(package.folder / LOSS_FILE, json.dumps(content, indent=1).encode() + b"\n", mode=0o644)


def _foretold(
    model: LocalModel, before: Sequence[int], tokens: Sequence[int], meter: Meter, cancel: Cancel
) -> list[tuple[float, int]]:
    """For each token: -ln p, and the likeliest one. The model keeps what it has read, so each costs one step."""
    found = []
    for at, token in enumerate(tokens):
        cancel.raise_if_cancelled()
        logits = model.logits([*before, *tokens[:at]]).astype(np.float64)
        greatest = logits.max()
        total = greatest + math.log(np.exp(logits - greatest).sum())
        found.append((float(total - logits[token]), int(logits.argmax())))
        meter.advance()
    return found
