"""The cycles of a canister over time: what was seen, the forecast, and the line below which it freezes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from ui.ai_words import cycles_words, day
from ui.text import tr
from ui.theme import theme
from ui.theme.tokens import TYPE_SMALL

if TYPE_CHECKING:
    from personal_ai.deployments.runway import Reading, Runway

_HEIGHT, _HEIGHT_SMALL = 170, 48
_WIDTH_MIN, _WIDTH_SMALL = 240, 150
_LABELS = 22  # pixels under the drawing, for the dates
_GRID_LINES = 4
_S_PER_DAY, _NS_PER_S = 86_400, 10**9
_AHEAD_DAYS_MIN, _AHEAD_DAYS_MOST = 30, 365
_SHOWN_DAYS = 120
_LINE, _DOT = 2.0, 3.0


@dataclass(frozen=True, slots=True)
class Curve:
    """Points (time in ns, cycles): what was seen, and the forecast from the last of them on.

    freezes_at_ns: None where that is further away than the forecast is drawn.
    """

    seen: tuple[tuple[int, int], ...]
    ahead: tuple[tuple[int, int], ...]
    freezing: int
    freezes_at_ns: int | None

    @property
    def span_ns(self) -> tuple[int, int]:
        return self.seen[0][0], (self.ahead or self.seen)[-1][0]

    @property
    def most(self) -> int:
        """The top of the drawing."""
        return max(cycles for _, cycles in (*self.seen, (0, self.freezing), (0, 1)))


def curve(readings: Sequence[Reading], runway: Runway | None) -> Curve | None:
    """What is drawn of the last months and, with a forecast, of the time until it freezes. None without readings."""
    if not readings:
        return None
    since_ns = readings[-1].time_ns - _SHOWN_DAYS * _S_PER_DAY * _NS_PER_S
    seen = tuple((one.time_ns, one.cycles) for one in readings if one.time_ns >= since_ns)
    if runway is None:
        return Curve(seen, (), 0, None)
    now_ns, cycles = seen[-1]
    past_days = (now_ns - seen[0][0]) / _NS_PER_S / _S_PER_DAY
    shown_days = min(max(_AHEAD_DAYS_MIN, 2 * past_days, runway.freezing_days), _AHEAD_DAYS_MOST)
    days = min(runway.days_left, shown_days)
    end_ns = now_ns + round(days * _S_PER_DAY * _NS_PER_S)
    left = max(cycles - round(days * runway.burned_per_day), 0)
    freezes_at_ns = end_ns if runway.days_left <= shown_days else None
    return Curve(seen, ((now_ns, cycles), (end_ns, left)), runway.held_back, freezes_at_ns)


def curve_words(drawn: Curve | None) -> str:
    """The same for those who do not see it."""
    if drawn is None:
        return tr("Nothing was seen of its cycles yet.")
    (first_ns, first), (last_ns, last) = drawn.seen[0], drawn.seen[-1]
    said = tr("Cycles: {last} on {day}.").format(last=cycles_words(last), day=day(last_ns))
    if day(first_ns) != day(last_ns):
        said = tr("Cycles: {first} on {start}, {last} on {day}.").format(
            first=cycles_words(first), start=day(first_ns), last=cycles_words(last), day=day(last_ns)
        )
    if drawn.ahead:
        end_ns, left = drawn.ahead[-1]
        ahead = (
            tr("It freezes below {limit}, by the forecast on {day}.")
            if drawn.freezes_at_ns is not None
            else tr("By the forecast {left} are left on {day}; it freezes below {limit}.")
        )
        said += " " + ahead.format(limit=cycles_words(drawn.freezing), day=day(end_ns), left=cycles_words(left))
    return said


class BurnChart(QWidget):
    """small: the curve alone, for a list."""

    def __init__(self, *, small: bool = False) -> None:
        super().__init__()
        self._small = small
        self._curve: Curve | None = None
        self.setSizePolicy(
            QSizePolicy.Policy.Maximum if small else QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed
        )
        self.show_curve((), None)

    def show_curve(self, readings: Sequence[Reading], runway: Runway | None) -> None:
        self._curve = curve(readings, runway)
        self.setAccessibleName(curve_words(self._curve))
        self.setToolTip(self.accessibleName())
        self.update()

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(_WIDTH_SMALL, _HEIGHT_SMALL) if self._small else QSize(_WIDTH_MIN, _HEIGHT)

    def minimumSizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """In a list the figures come first."""
        return QSize(0, _HEIGHT_SMALL) if self._small else self.sizeHint()

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        if self._curve is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        labels = 0 if self._small else _LABELS
        area = QRectF(_DOT, _DOT, self.width() - 2 * _DOT, self.height() - labels - 2 * _DOT)
        if not self._small:
            self._draw_grid(painter, area)
        self._draw_limit(painter, area, self._curve)
        self._draw_curve(painter, area, self._curve)
        if not self._small:
            self._draw_dates(painter, self._curve)

    def _draw_grid(self, painter: QPainter, area: QRectF) -> None:
        painter.setPen(QPen(QColor(theme().tokens.line), 1))
        for at in range(_GRID_LINES):
            y = area.top() + area.height() * at / (_GRID_LINES - 1)
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))

    def _draw_limit(self, painter: QPainter, area: QRectF, drawn: Curve) -> None:
        if not drawn.freezing:
            return
        y = _place(area, drawn, drawn.span_ns[0], drawn.freezing).y()
        painter.setPen(QPen(QColor(theme().tokens.warning), 1))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if not self._small:
            painter.setFont(_small_font())
            words = tr("freezes below {cycles}").format(cycles=cycles_words(drawn.freezing))
            below = y + _LABELS < area.bottom()  # where the curve seldom is
            painter.drawText(QPointF(area.left() + 2 * _DOT, y + 15 if below else y - 5), words)

    def _draw_curve(self, painter: QPainter, area: QRectF, drawn: Curve) -> None:
        tokens = theme().tokens
        painter.setPen(QPen(QColor(tokens.muted), 1.4, Qt.PenStyle.DashLine))
        painter.drawPolyline([_place(area, drawn, *point) for point in drawn.ahead])
        painter.setPen(QPen(QColor(tokens.accent), _LINE))
        painter.drawPolyline([_place(area, drawn, *point) for point in drawn.seen])
        painter.setBrush(QColor(tokens.accent))
        painter.drawEllipse(_place(area, drawn, *drawn.seen[-1]), _DOT - 1, _DOT - 1)

    def _draw_dates(self, painter: QPainter, drawn: Curve) -> None:
        start_ns, end_ns = drawn.span_ns
        painter.setPen(QColor(theme().tokens.muted))
        painter.setFont(_small_font())
        line = QRectF(0, self.height() - _LABELS, self.width(), _LABELS)
        painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, day(start_ns))
        if drawn.ahead:
            words = tr("forecast to {day}").format(day=day(end_ns))
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, words)


def _place(area: QRectF, drawn: Curve, time_ns: int, cycles: int) -> QPointF:
    start_ns, end_ns = drawn.span_ns
    across = (time_ns - start_ns) / max(end_ns - start_ns, 1)
    return QPointF(area.left() + across * area.width(), area.bottom() - cycles / drawn.most * area.height())


def _small_font() -> QFont:
    font = QFont()
    font.setPixelSize(TYPE_SMALL)
    return font
