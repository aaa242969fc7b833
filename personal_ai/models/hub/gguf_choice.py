"""Which GGUF file of a hub's model to take, and what it says of itself before it is fetched whole."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.common.jobs import Cancel
from personal_ai.models.gguf.reader import MAX_HEAD_SIZE_BYTES, GgufHead
from personal_ai.models.hub.connection import Answer, Hub
from personal_ai.models.hub.errors import HubNotFoundError

if TYPE_CHECKING:
    from personal_ai.models.hub.planning import HubFile

# By how little they lose, among those of 8 bits and fewer; larger ones come last: an import makes 8 bits of them.
_FORMATS: Final = (
    *("Q8_0", "Q6_K", "Q5_K_M", "Q5_K_S", "Q5_1", "Q5_0", "Q4_K_M", "Q4_K_S", "Q4_1", "Q4_0"),
    *("BF16", "F16", "F32"),
)
_FORMAT = re.compile(rf"(?:^|[-._])({'|'.join(_FORMATS)})(?:[-._]|$)", re.IGNORECASE)
_UNREADABLE = re.compile(r"(?:^|[-._])(?:I?Q[123]_|IQ4_|TQ\d_|MXFP4)", re.IGNORECASE)
_PART = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)
_NAME_LENGTH_MAX = 120  # it becomes a part of a folder's name
_FIRST_TRY_SIZE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class GgufChoice:
    """The file that is taken, and those that could be taken instead, the best first."""

    file: HubFile
    others: tuple[HubFile, ...]


def is_gguf_name(name: str) -> bool:
    return name.lower().endswith(".gguf")


def choose(model_id: str, listed: Collection[HubFile], wanted: str) -> GgufChoice:
    """The file named `wanted`; the best of those that can be read where that is empty.

    Raises HubNotFoundError, UnsupportedModelError.
    """
    readable = sorted((file for file in listed if _rank(file) is not None), key=lambda file: _rank(file) or 0)
    if wanted:
        found = next((file for file in listed if file.name == wanted), None)
        if found is None:
            raise HubNotFoundError(f"{model_id} has no file {wanted}.", next_step=_names(readable))
        return GgufChoice(found, tuple(file for file in readable if file is not found))
    if not readable:
        raise UnsupportedModelError(
            f"{model_id} cannot be imported.",
            (f"None of its GGUF files is whole and in one of the formats {', '.join(_FORMATS)}.",),
            next_step="Choose another model.",
        )
    return GgufChoice(readable[0], tuple(readable[1:]))


def read_head(hub: Hub, path: str, file: HubFile, cancel: Cancel) -> GgufHead:
    """What the file says of itself; no more of it is fetched than that takes. Not verified: only the whole can be.

    Raises FormatError, NetworkError, Cancelled.
    """

    def ask() -> GgufHead:
        with hub.get(path) as answer:
            return _parsed(answer, file, cancel)

    return hub.patiently(ask, cancel)


def _parsed(answer: Answer, file: HubFile, cancel: Cancel) -> GgufHead:
    content, enough = bytearray(), _FIRST_TRY_SIZE_BYTES
    for piece in answer.pieces(cancel):
        content += piece
        if len(content) >= min(enough, file.size_bytes):
            try:
                return GgufHead(bytes(content), file.size_bytes, file.name)
            except FormatError:  # broken, or there is more of it
                if enough >= min(MAX_HEAD_SIZE_BYTES, file.size_bytes):
                    raise
                enough *= 4
    raise FormatError(f"{file.name} is shorter than the hub says.")


def _rank(file: HubFile) -> int | None:
    """Its place among the formats, the last where its name tells none.

    None for parts of files, for what sees or hears, and for what cannot be read.
    """
    name = file.name
    if not is_gguf_name(name) or len(name) > _NAME_LENGTH_MAX or name.lower().startswith("mmproj"):
        return None
    if _PART.search(name) or _UNREADABLE.search(name):
        return None
    found = _FORMAT.search(name)
    return _FORMATS.index(found[1].upper()) if found else len(_FORMATS)


def _names(files: Collection[HubFile]) -> str:
    return f"There are {', '.join(file.name for file in files)}." if files else "It has no GGUF file that can be read."
