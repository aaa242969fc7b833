"""Ending a reply at a text: a model without a chat template would otherwise write the user's next words too."""

from __future__ import annotations

from collections.abc import Sequence


class StopTexts:
    """Passes a reply on piece by piece up to the first of `texts`; holds back what may be the beginning of one."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(text for text in texts if text)
        self._held = ""
        self.reached = False

    def push(self, piece: str) -> str:
        """What may be shown now; nothing any more once a stop text is reached."""
        if self.reached:
            return ""
        text = self._held + piece
        found = [(text.find(stop) + len(stop), text.find(stop)) for stop in self._texts if stop in text]
        self.reached = bool(found)
        if found:  # the one that is complete first, however the reply was cut
            shown, self._held = min(found)[1], ""
        else:
            shown = len(text) - self._held_length(text)
            self._held = text[shown:]
        return text[:shown]

    def flush(self) -> str:
        """What was held back, when the reply is over."""
        held, self._held = self._held, ""
        return held

    def _held_length(self, text: str) -> int:
        """The length of the longest end of `text` with which a stop text begins."""
        lengths = range(min(len(text), max(map(len, self._texts), default=0)), 0, -1)
        return next((length for length in lengths if any(each.startswith(text[-length:]) for each in self._texts)), 0)
