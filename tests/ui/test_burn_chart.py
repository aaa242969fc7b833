"""The burn chart: what is drawn, and the same in words."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage

from personal_ai.deployments.runway import Reading, Runway
from ui.theme import theme
from ui.widgets.burn_chart import BurnChart, curve, curve_words

DAY_NS = 86_400 * 10**9
NOW_NS = 1_790_000_000 * 10**9
T = 10**12


def readings(*cycles: int, days_apart: int = 10) -> list[Reading]:
    last = len(cycles) - 1
    return [Reading(NOW_NS - (last - at) * days_apart * DAY_NS, one) for at, one in enumerate(cycles)]


def runway(cycles: int, per_day: int, held_back: int = T) -> Runway:
    return Runway(cycles, held_back, 90, per_day, None)


def test_the_forecast_ends_where_it_freezes() -> None:
    drawn = curve(readings(4 * T, 3 * T), runway(3 * T, 10**11))
    assert drawn is not None
    assert drawn.ahead == ((NOW_NS, 3 * T), (NOW_NS + 20 * DAY_NS, T))
    assert drawn.freezes_at_ns == NOW_NS + 20 * DAY_NS
    assert (drawn.span_ns, drawn.most) == ((NOW_NS - 10 * DAY_NS, NOW_NS + 20 * DAY_NS), 4 * T)
    words = curve_words(drawn)
    assert (
        "4.00\N{NO-BREAK SPACE}T on" in words
        and "It freezes below 1.00\N{NO-BREAK SPACE}T, by the forecast on" in words
    )


def test_a_long_runway_is_not_drawn_to_its_end() -> None:
    drawn = curve(readings(4 * T, 4 * T - 1), runway(4 * T - 1, 1))
    assert drawn is not None and drawn.freezes_at_ns is None
    assert drawn.ahead[-1][0] == NOW_NS + 90 * DAY_NS
    assert "are left on" in curve_words(drawn)


def test_what_is_long_past_is_left_out() -> None:
    drawn = curve(readings(*range(20 * T, 0, -T)), None)
    assert drawn is not None
    assert len(drawn.seen) == 13 and drawn.seen[-1] == (NOW_NS, T)


@pytest.mark.parametrize("small", [True, False])
def test_it_is_drawn_in_the_colours_of_the_theme(qapp: object, small: bool) -> None:
    chart = BurnChart(small=small)
    chart.resize(chart.sizeHint())
    blank = chart.grab().toImage()
    assert chart.accessibleName() == "Nothing was seen of its cycles yet."
    chart.show_curve(readings(4 * T, 3 * T), runway(3 * T, 10**11))
    drawn = chart.grab().toImage()
    assert drawn != blank
    assert colours(drawn) >= {theme().tokens.accent.lower(), theme().tokens.warning.lower()}


def test_a_single_reading_and_an_empty_canister_can_be_drawn(qapp: object) -> None:
    chart = BurnChart()
    for seen in (readings(3 * T), readings(0)):
        chart.show_curve(seen, runway(seen[-1].cycles, 0, held_back=0))
        assert not chart.grab().isNull()
        assert chart.accessibleName().startswith("Cycles: ")


def colours(image: QImage) -> set[str]:
    found = {image.pixel(x, y) for x in range(image.width()) for y in range(image.height())}
    return {QColor(one).name() for one in found}
