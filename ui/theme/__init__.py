"""The theme of the running application: tokens, fonts, icons; it follows the system or the user's choice."""

from __future__ import annotations

from enum import StrEnum
from functools import cache

from PySide6 import QtCore
from PySide6.QtCore import QByteArray, QObject, QRectF, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from personal_ai.common.paths import resource
from ui.theme.stylesheet import stylesheet
from ui.theme.tokens import DARK, LIGHT, TEXT_FAMILY, TYPE_TEXT, Tokens

ICON_SIZE = 18
_ICON_SCALES = (1, 2, 3)
_FONT_FILES = ("Inter-Regular.otf", "Inter-SemiBold.otf", "JetBrainsMono-Regular.ttf")


class Appearance(StrEnum):
    """What the user chose."""

    SYSTEM = "system"
    LIGHT = "light"
    DARK = "dark"


class Theme(QObject):
    """Holds the tokens in force and dresses the application in them."""

    changed = Signal()

    def __init__(self, application: QApplication) -> None:
        super().__init__(application)
        self._application = application
        self._appearance = Appearance.SYSTEM
        for file in _FONT_FILES:
            QFontDatabase.addApplicationFont(str(resource("fonts") / file))
        font = QFont(TEXT_FAMILY)
        font.setPixelSize(TYPE_TEXT)
        application.setFont(font)
        self.tokens = DARK if is_dark(application.palette()) else LIGHT
        self._dress()
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._follow)

    @property
    def appearance(self) -> Appearance:
        return self._appearance

    def choose(self, appearance: Appearance) -> None:
        """Takes the user's choice; menus and title bars of the system follow where it can."""
        if appearance is self._appearance:
            return
        self._appearance = appearance
        scheme = QtCore.Qt.ColorScheme
        schemes = {Appearance.LIGHT: scheme.Light, Appearance.DARK: scheme.Dark}
        QGuiApplication.styleHints().setColorScheme(schemes.get(appearance, scheme.Unknown))
        self._follow()

    def _follow(self) -> None:
        wanted = self._tokens_wanted()
        if wanted is not self.tokens:
            self.tokens = wanted
            self._dress()
            self.changed.emit()

    def _tokens_wanted(self) -> Tokens:
        if self._appearance is not Appearance.SYSTEM:
            return DARK if self._appearance is Appearance.DARK else LIGHT
        return DARK if QGuiApplication.styleHints().colorScheme() == QtCore.Qt.ColorScheme.Dark else LIGHT

    def _dress(self) -> None:
        self._application.setPalette(palette(self.tokens))
        self._application.setStyleSheet(stylesheet(self.tokens))


def theme() -> Theme:
    """The theme of the application; made, with its fonts, when first asked for."""
    application = QApplication.instance()
    assert isinstance(application, QApplication), "the application comes before its theme"
    return _theme_of(application)


@cache
def _theme_of(application: QApplication) -> Theme:
    """Kept here: to find it among the application's children, PySide would load classes for all of them."""
    return Theme(application)


@cache
def icon(name: str, colour: str, colour_checked: str, size: int = ICON_SIZE) -> QIcon:
    """The icon `resources/icons/NAME.svg` in two colours: as it is, and for a checked button."""
    made = QIcon()
    for scale in _ICON_SCALES:
        made.addPixmap(pixmap(name, colour, size, scale), QIcon.Mode.Normal, QIcon.State.Off)
        made.addPixmap(pixmap(name, colour_checked, size, scale), QIcon.Mode.Normal, QIcon.State.On)
    return made


@cache
def pixmap(name: str, colour: str, size: int, scale: float = 1) -> QPixmap:
    """An icon drawn at `size` points for a screen of `scale` pixels per point."""
    drawing = (resource("icons") / f"{name}.svg").read_text("utf-8").replace("currentColor", colour)
    image = QPixmap(round(size * scale), round(size * scale))
    image.fill(QColor(0, 0, 0, 0))
    painter = QPainter(image)
    QSvgRenderer(QByteArray(drawing.encode())).render(painter, QRectF(image.rect()))
    painter.end()
    image.setDevicePixelRatio(scale)
    return image


def is_dark(colours: QPalette) -> bool:
    """Whether the system's own colours are light words on dark. At the start this takes no time, style hints do."""
    return colours.windowText().color().lightness() > colours.window().color().lightness()


def palette(tokens: Tokens) -> QPalette:
    """What the style draws itself: check marks, menus, placeholders, selections."""
    role = QPalette.ColorRole
    colours = {
        role.Window: tokens.ground,
        role.WindowText: tokens.text,
        role.Base: tokens.surface,
        role.AlternateBase: tokens.rail,
        role.Text: tokens.text,
        role.Button: tokens.surface,
        role.ButtonText: tokens.text,
        role.ToolTipBase: tokens.surface,
        role.ToolTipText: tokens.text,
        role.PlaceholderText: tokens.muted,
        role.Highlight: tokens.accent,
        role.HighlightedText: tokens.on_accent,
        role.Accent: tokens.accent,
        role.Link: tokens.accent,
        role.LinkVisited: tokens.accent,
    }
    made = QPalette()
    for which, colour in colours.items():
        made.setColor(which, QColor(colour))
    for which in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, which, QColor(tokens.muted))
    return made
