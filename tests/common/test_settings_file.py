"""Entries of one file that know nothing of each other."""

from pathlib import Path

import pytest

from personal_ai.common.settings_file import load_settings, save_setting


def test_an_entry_is_kept_beside_the_others_and_taken_out(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    assert load_settings(path) == {}
    save_setting(path, "look", "dark")
    save_setting(path, "hub", {"address": "https://hub.example"})
    assert load_settings(path) == {"look": "dark", "hub": {"address": "https://hub.example"}}
    save_setting(path, "look", None)
    assert load_settings(path) == {"hub": {"address": "https://hub.example"}}


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff"])
def test_a_damaged_file_says_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    assert load_settings(path) == {}
