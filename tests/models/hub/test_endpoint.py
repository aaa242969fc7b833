"""Which hub is asked: one's own choice before the environment's, that before the public one."""

from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError
from personal_ai.models.hub.connection import PUBLIC_ENDPOINT
from personal_ai.models.hub.endpoint import VARIABLE, choose_endpoint, endpoint


def test_a_choice_comes_first_and_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings.json"
    monkeypatch.delenv(VARIABLE, raising=False)
    assert endpoint(settings) == PUBLIC_ENDPOINT
    monkeypatch.setenv(VARIABLE, "https://mirror.example")
    assert endpoint(settings) == "https://mirror.example"
    choose_endpoint(settings, "https://hub.example/models/")
    assert endpoint(settings) == "https://hub.example/models"
    choose_endpoint(settings, None)
    assert endpoint(settings) == "https://mirror.example"


@pytest.mark.parametrize(
    "address", ["http://hub.example", "hub.example", "ftp://hub.example", "https://me:pw@hub.example"]
)
def test_what_is_no_address_is_not_kept(tmp_path: Path, address: str) -> None:
    with pytest.raises(BadInputError):
        choose_endpoint(tmp_path / "settings.json", address)
    assert not (tmp_path / "settings.json").exists()
