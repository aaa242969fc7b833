"""Words as they were written; of very many only the first are laid out, until all are asked for."""

from __future__ import annotations

from ui.widgets.prose import ProseView

_LENGTH_MAX = 3000
_LINES_MAX = 16


class LongText(ProseView):
    """`folded` says whether there is more than what is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text
        beginning = "\n".join(text[:_LENGTH_MAX].split("\n")[:_LINES_MAX])
        self.folded = beginning != text
        self.set_plain(f"{beginning}…" if self.folded else text)

    def unfold(self) -> None:
        """Shows all; it may take a moment."""
        if self.folded:
            self.folded = False
            self.set_plain(self._text)
