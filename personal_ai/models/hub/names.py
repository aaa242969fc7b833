"""How a model on a hub is called: `owner/name`, with `:FILE` for one GGUF file of it and `@revision` for a branch, tag
or commit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from personal_ai.common.errors import BadInputError

DEFAULT_REVISION = "main"
_PART = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,95}"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}"
_ID = re.compile(rf"({_PART})/({_PART})(?::({_FILE}))?(?:@([A-Za-z0-9_][A-Za-z0-9._/-]{{0,199}}))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubName:
    """A model's name, safe in a URL's path and as a folder's name. `file` is empty where none is named."""

    owner: str
    name: str
    revision: str = DEFAULT_REVISION
    file: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises BadInputError."""
        found = _ID.fullmatch(text)
        if found is None or ".." in text or "//" in text or "--" in f"{found[1]}/{found[2]}":
            raise BadInputError(
                f"{text[:80]!r} is no model's id.",
                next_step="Use owner/name, owner/name:FILE for one of its GGUF files, or owner/name@revision.",
            )
        return cls(found[1], found[2], found[4] or DEFAULT_REVISION, found[3] or "")

    @property
    def id(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def folder_name(self) -> str:
        """One for each id and file; `of_folder` turns it back."""
        return "--".join((self.owner, self.name, *filter(None, (self.file,))))

    @staticmethod
    def of_folder(name: str) -> str:
        """The text that names what is fetched into the folder."""
        return name.replace("--", "/", 1).replace("--", ":", 1)


def is_hub_name(text: str) -> bool:
    """Whether `text` has the form of an id."""
    try:
        HubName.parse(text)
    except BadInputError:
        return False
    return True


def is_commit(text: str) -> bool:
    """Whether `text` names one commit for ever, as no branch or tag does."""
    return bool(_COMMIT.fullmatch(text))
