"""Models that fit: a small list of facts, resources/catalogue.json, and for the user to edit, one of their own
(`catalogue.json` in the home folder). Nothing is fetched by either. docs/formats/catalogue.md has the format.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.common.paths import resource
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.hub.names import HubName

CATALOGUE_FILE = "catalogue.json"
FORMAT = "personal-ai catalogue"
VERSION = 1
_ENTRIES_MAX = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the list."""

    id: str
    label: str
    architecture: str
    parameters: int
    licence: str
    gated: bool
    languages: tuple[str, ...]


def catalogue(own: Path) -> tuple[Entry, ...]:
    """The entries of the user's own file, if there is one, and the program's that it does not name. Raises as
    `read_catalogue`.
    """
    entries = read_catalogue(own) if own.exists() else ()
    named = {entry.id for entry in entries}
    return (*entries, *(entry for entry in read_catalogue(resource(CATALOGUE_FILE)) if entry.id not in named))


def read_catalogue(path: Path) -> tuple[Entry, ...]:
    """The entries in the file's order. Raises FormatError naming what is wrong, UnknownVersionError."""
    fields = Fields(read_json(path), path.name)
    if fields.raw("format") != FORMAT:
        raise FormatError(f"{path.name} is no catalogue of models.")
    if fields.raw("version") != VERSION:
        raise UnknownVersionError(
            f"{path.name} has version {str(fields.raw('version'))[:20]}; this program knows version {VERSION}.",
            next_step="Update the program.",
        )
    listed = fields.raw("models")
    if not isinstance(listed, list) or len(listed) > _ENTRIES_MAX:
        raise FormatError(f"{path.name}: 'models' must be a list of at most {_ENTRIES_MAX}.")
    entries = tuple(_entry(Fields(each, path.name)) for each in listed)
    if len({entry.id for entry in entries}) != len(entries):
        raise FormatError(f"{path.name} names a model twice.")
    return entries


def _entry(fields: Fields) -> Entry:
    return Entry(
        id=HubName.parse(fields.text("id", 200)).id,
        label=fields.text("label", 100),
        architecture=fields.text("architecture", 64),
        parameters=fields.integer("parameters", 1, 1 << 50),
        licence=fields.text("licence", 80),
        gated=fields.boolean("gated"),
        languages=fields.texts("languages", 16, 200),
    )
