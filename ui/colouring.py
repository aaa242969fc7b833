"""Colours for code in replies, worked out off the window's thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ui.bridge import Lane, OwnedBridge
from ui.highlight import Span, can_highlight, highlight


class Colouring:
    """Answers in its own time, and not at all where there is nothing to colour."""

    def __init__(self, bridge: OwnedBridge) -> None:
        self._bridge = bridge

    def colour(self, text: str, language: str, then: Callable[[Sequence[Sequence[Span]]], object]) -> None:
        """Calls `then`, the method of a widget that may be gone by then, with the spans of each line."""
        if can_highlight(text, language):
            self._bridge.run(lambda _: highlight(text, language), lane=Lane.COLOURS).on_success(then)
