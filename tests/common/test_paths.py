"""Everything of one profile lies below one home folder."""

from dataclasses import fields
from pathlib import Path

import pytest

from personal_ai.common.paths import HOME_VARIABLE, Paths, resource


def test_the_variable_names_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    assert Paths.default() == Paths(tmp_path)
    monkeypatch.delenv(HOME_VARIABLE)
    assert Paths.default().home.name == "personal-ai"


def test_nothing_lies_outside_the_home(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    names = {name for name in dir(Paths) if isinstance(getattr(Paths, name), property)}
    assert len(names) >= 7 and {field.name for field in fields(Paths)} == {"home"}
    assert all(getattr(paths, name).parent == tmp_path for name in names)


def test_resources_are_found() -> None:
    assert resource("canister.did").is_file()
