"""Text files as part of a question."""

from __future__ import annotations

from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors

SIZE_BYTES_MAX = 256 << 10
_FENCE = "```"


def quoted(path: Path) -> str:
    """A file's name and its text in a Markdown fence, as it is put to a model.

    Raises BadInputError where it is too large or no text in UTF-8, StorageError.
    """
    with storage_errors(f"read {path.name}"), path.open("rb") as file:
        content = file.read(SIZE_BYTES_MAX + 1)
    if len(content) > SIZE_BYTES_MAX:
        raise _refused(f"{path.name} has more than {SIZE_BYTES_MAX >> 10} kB, which no message can hold.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _refused(f"{path.name} holds no text that this program can read.") from error
    if "\0" in text:
        raise _refused(f"{path.name} holds no text that this program can read.")
    fence = _FENCE
    while fence in text:
        fence += "`"
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{path.name}:\n{fence}\n{text}{end}{fence}\n"


def _refused(what: str) -> BadInputError:
    return BadInputError(
        what,
        not_lost="Nothing was added to your message.",
        next_step="Add a text file in UTF-8, or copy the part that matters out of it.",
    )
