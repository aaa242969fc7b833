"""The theme: contrast from the tokens, fonts, and following the user's choice."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QFontDatabase, QFontInfo
from PySide6.QtWidgets import QApplication, QLabel, QSpinBox

from personal_ai.common.paths import resource
from ui.theme import Appearance, icon, is_dark, palette, theme
from ui.theme.tokens import CODE_FAMILY, CONTRAST_MIN, DARK, LIGHT, TEXT_FAMILY, TEXT_ON, Tokens, contrast
from ui.widgets.basic import seat

PAIRS = [(text, ground) for text, grounds in TEXT_ON.items() for ground in grounds]


def test_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_every_text_can_be_read_on_its_ground(tokens: Tokens, text: str, ground: str) -> None:
    colours = tokens._asdict()
    assert contrast(colours[text], colours[ground]) >= CONTRAST_MIN


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_what_shows_the_focus_stands_out(tokens: Tokens) -> None:
    for ground in (tokens.ground, tokens.rail, tokens.surface):
        assert contrast(tokens.accent, ground) >= 3


def test_the_fonts_come_with_the_program(qapp: QApplication) -> None:
    theme()
    assert {TEXT_FAMILY, CODE_FAMILY} <= set(QFontDatabase.families())
    assert QFontInfo(qapp.font()).family() == TEXT_FAMILY
    for family in ("Inter", "JetBrainsMono"):
        assert "SIL OPEN FONT LICENSE" in (resource("fonts") / f"{family}-LICENSE.txt").read_text("utf-8").upper()


def test_the_choice_changes_everything_at_once(qapp: QApplication) -> None:
    dressed = theme()
    heard: list[bool] = []
    dressed.changed.connect(lambda: heard.append(dressed.tokens.dark))
    label = QLabel("words")
    for appearance, tokens in ((Appearance.DARK, DARK), (Appearance.LIGHT, LIGHT)):
        dressed.choose(appearance)
        assert dressed.tokens is tokens
        assert tokens.accent in qapp.styleSheet()
        assert label.palette().windowText().color().name().upper() == tokens.text
    assert heard[-2:] == [True, False]
    dressed.choose(Appearance.SYSTEM)


def test_icons_are_drawn_in_the_colour_asked_for(qapp: QApplication) -> None:
    image = icon("check", "#112233", "#445566").pixmap(18, 18).toImage()
    colours = {
        image.pixelColor(x, y).name() for x in range(18) for y in range(18) if image.pixelColor(x, y).alpha() == 255
    }
    assert colours == {"#112233"}


def test_a_number_in_a_box_can_be_seen(qapp: QApplication) -> None:
    """With its arrows taken away by Qt's own means it has no width."""
    theme()
    box = QSpinBox()
    seat(box)
    box.setRange(0, 5000)
    box.resize(200, box.sizeHint().height())
    box.show()
    empty = box.grab().toImage()
    box.setValue(3072)
    assert box.lineEdit().width() > 150
    assert box.grab().toImage() != empty
    assert box.lineEdit().textMargins().left() > 0


@pytest.mark.parametrize("tokens", [LIGHT, DARK], ids=["light", "dark"])
def test_a_dark_system_is_known_by_its_colours(qapp: QApplication, tokens: Tokens) -> None:
    assert is_dark(palette(tokens)) is tokens.dark
