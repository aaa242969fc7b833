"""The list of models that fit: every entry can be imported by its architecture, and mistakes in the file are named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, UnknownVersionError
from personal_ai.common.paths import resource
from personal_ai.models.catalogue import CATALOGUE_FILE, catalogue, read_catalogue
from personal_ai.models.huggingface import _ARCHITECTURES

SHIPPED = resource(CATALOGUE_FILE)


def test_every_entry_is_of_an_architecture_that_is_imported() -> None:
    entries = read_catalogue(SHIPPED)
    assert len(entries) > 4 and {entry.architecture for entry in entries} <= set(_ARCHITECTURES)
    assert all(entry.licence and entry.parameters > 10**8 for entry in entries)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "other"}, "no catalogue"),
        ({"models": 5}, "'models'"),
        ({"models": [{"id": "no/such/name"}]}, "no/such/name"),
        ({"models": [{"id": "a/b", "label": 3}]}, "label"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: dict[str, object], named: str) -> None:
    path = tmp_path / CATALOGUE_FILE
    path.write_text(json.dumps(json.loads(SHIPPED.read_text()) | change))
    with pytest.raises(BadInputError, match=named):
        read_catalogue(path)


def test_the_users_own_entries_come_first_and_stand_in_for_those_of_the_same_id(tmp_path: Path) -> None:
    shipped, own = json.loads(SHIPPED.read_text()), tmp_path / CATALOGUE_FILE
    assert catalogue(own) == read_catalogue(SHIPPED)
    changed = shipped["models"][2] | {"label": "As I call it"}
    own.write_text(json.dumps(shipped | {"models": [changed, changed | {"id": "me/mine"}]}))
    first, second, *others = catalogue(own)
    assert (first.label, second.id) == ("As I call it", "me/mine")
    assert others == [entry for entry in read_catalogue(SHIPPED) if entry.id != changed["id"]]
    own.write_text("{")
    with pytest.raises(BadInputError, match=r"catalogue\.json"):
        catalogue(own)


def test_doubles_and_other_versions_are_refused(tmp_path: Path) -> None:
    path, content = tmp_path / CATALOGUE_FILE, json.loads(SHIPPED.read_text())
    path.write_text(json.dumps(content | {"models": content["models"][:1] * 2}))
    with pytest.raises(BadInputError, match="twice"):
        read_catalogue(path)
    path.write_text(json.dumps(content | {"version": 2}))
    with pytest.raises(UnknownVersionError):
        read_catalogue(path)
