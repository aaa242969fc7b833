from __future__ import annotations

import re

import pytest

from personal_ai.backup.sheet import Sheet
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT
from personal_ai.identities.vault import IdentityRecord

PHRASE = "abandon " * 11 + "about"
DEPLOYMENT = Deployment(
    "aa" * 16, "Rowan <b>", "ic", str(ANONYMOUS), "starter", "00" * 32, DeploymentState.ACTIVE, 1, "aaaaa-aa"
)
UNFINISHED = Deployment("bb" * 16, "Birch", "ic", str(ANONYMOUS), "starter", "00" * 32, DeploymentState.FAILED, 1)
IDENTITIES = (IdentityRecord(3, "Rowan <b>", ANONYMOUS), IdentityRecord(None, "key", MANAGEMENT))


def _sheet(phrase: str | None = PHRASE) -> Sheet:
    return Sheet("1 May 2027", phrase, IDENTITIES, (DEPLOYMENT, UNFINISHED))


def test_the_text_has_all_that_a_new_computer_needs() -> None:
    text = _sheet().to_text()
    assert re.findall(r"^ +\d+\. (abandon|about)$", text, re.MULTILINE) == PHRASE.split()
    assert "aaaaa-aa on ic: Rowan <b>, starter, identity 3" in text
    assert f"identity 3: {ANONYMOUS} Rowan <b>" in text and "imported key" in text
    assert "Birch" not in text and "personal-ai recover CANISTER" in text


@pytest.mark.parametrize("render", [Sheet.to_text, Sheet.to_html])
def test_the_phrase_may_stand_elsewhere(render: object) -> None:
    page = render(_sheet(None))  # type: ignore[operator]
    assert "abandon" not in page and "not on this sheet" in page and "aaaaa-aa" in page


def test_the_page_escapes_and_loads_nothing() -> None:
    page = _sheet().to_html()
    assert "Rowan &lt;b&gt;" in page and "<b>, starter" not in page
    assert page.count("<li>abandon</li>") == 11 and not re.search(r"src=|href=|url\(|<script", page)


def test_a_sheet_is_not_shown_by_accident() -> None:
    assert "abandon" not in repr(_sheet())
