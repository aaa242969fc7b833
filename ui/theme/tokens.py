"""The look as data: colours, space, radii and type sizes. No Qt, so that a test can reckon with them."""

from __future__ import annotations

from typing import NamedTuple

SPACE_XS, SPACE_S, SPACE_M, SPACE_L, SPACE_XL, SPACE_XXL = 4, 8, 12, 16, 24, 40
RADIUS_CONTROL, RADIUS_CARD, RADIUS_BUBBLE = 8, 12, 14
TYPE_SMALL, TYPE_CODE, TYPE_TEXT, TYPE_HEADING_2, TYPE_HEADING_1, TYPE_NUMBER = 12, 13, 14, 15, 20, 24

RAIL_WIDTH, LIST_WIDTH, READING_WIDTH_MAX = 190, 220, 720
NARROW_BELOW = 900

TEXT_FAMILY = "Inter"
CODE_FAMILY = "JetBrains Mono"


class Tokens(NamedTuple):
    """One set of colours as "#RRGGBB". `*_soft` are grounds for text of the colour they are named after.
    mark: of words that are looked for.

    line: between things. edge: of what can be pressed or written in, so that it is told from the words beside it.
    """

    dark: bool
    ground: str
    rail: str
    surface: str
    hover: str
    line: str
    edge: str
    text: str
    muted: str
    accent: str
    accent_hover: str
    on_accent: str
    accent_soft: str
    good: str
    good_soft: str
    warning: str
    warning_soft: str
    bad: str
    bad_soft: str
    bubble: str
    mark: str
    code: str
    code_keyword: str
    code_string: str
    code_comment: str
    code_number: str
    code_name: str


LIGHT = Tokens(
    dark=False,
    ground="#FBFAF8",
    rail="#F3F1EC",
    surface="#FFFFFF",
    hover="#E9E6DF",
    line="#E5E1D8",
    edge="#D6D1C6",
    text="#1E2024",
    muted="#6A6D73",
    accent="#3B5BDB",
    accent_hover="#3350C4",
    on_accent="#FFFFFF",
    accent_soft="#EDF1FF",
    good="#237A4E",
    good_soft="#E6F4EC",
    warning="#9A5800",
    warning_soft="#FFF3E0",
    bad="#B3261E",
    bad_soft="#FCEDEB",
    bubble="#EFECE6",
    mark="#FFE08A",
    code="#F5F3EE",
    code_keyword="#3B5BDB",
    code_string="#237A4E",
    code_comment="#6A6D73",
    code_number="#9A5800",
    code_name="#8A3B86",
)

DARK = Tokens(
    dark=True,
    ground="#17181B",
    rail="#1D1F23",
    surface="#202327",
    hover="#2A2D33",
    line="#2F3238",
    edge="#4B505A",
    text="#E9E8E4",
    muted="#9A9DA4",
    accent="#8FA8FF",
    accent_hover="#A5B9FF",
    on_accent="#14161A",
    accent_soft="#262D45",
    good="#6CCB97",
    good_soft="#1F3329",
    warning="#F0B35A",
    warning_soft="#3A2E1B",
    bad="#F2827A",
    bad_soft="#3B2322",
    bubble="#2A2D33",
    mark="#66521A",
    code="#1B1D21",
    code_keyword="#8FA8FF",
    code_string="#6CCB97",
    code_comment="#9A9DA4",
    code_number="#F0B35A",
    code_name="#D79BD3",
)

# Every pair of text and ground that the style sheet puts together; a test holds each to WCAG AA.
TEXT_ON = {
    "text": ("ground", "rail", "surface", "hover", "bubble", "mark", "code", "accent_soft"),
    "muted": ("ground", "rail", "surface", "code"),
    "accent": ("ground", "rail", "surface", "accent_soft"),
    "on_accent": ("accent", "accent_hover"),
    "good": ("good_soft", "surface", "ground"),
    "warning": ("warning_soft", "surface", "ground"),
    "bad": ("bad_soft", "surface", "ground"),
    "code_keyword": ("code",),
    "code_string": ("code",),
    "code_comment": ("code",),
    "code_number": ("code",),
    "code_name": ("code",),
}
CONTRAST_MIN = 4.5


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two "#RRGGBB" colours, 1 to 21, as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
