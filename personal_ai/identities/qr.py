"""QR codes of principals and account identifiers: for a screen, a terminal or paper."""

from __future__ import annotations

import io

import segno

_BORDER = 4  # modules; the standard's quiet zone


def svg(text: str, *, scale: int = 4) -> str:
    """The code as an SVG document, dark on light whatever the theme: readers need that. scale: pixels a module."""
    out = io.BytesIO()
    _code(text).save(out, kind="svg", scale=scale, border=_BORDER, dark="#000", light="#fff", xmldecl=False)
    return out.getvalue().decode()


def terminal(text: str) -> str:
    """The code in half blocks, for a terminal."""
    out = io.StringIO()
    _code(text).terminal(out, border=_BORDER, compact=True)
    return out.getvalue()


def modules(text: str) -> list[list[bool]]:
    """Rows of modules, dark ones true, with the quiet zone."""
    return [[bool(module) for module in row] for row in _code(text).matrix_iter(border=_BORDER)]


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m")
