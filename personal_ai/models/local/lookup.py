"""Guessing what a reply says next: what followed the same words earlier in the conversation (prompt lookup decoding).

A model reads a few tokens at once in less time than it takes to write them one after the other; so guesses are read
together and kept as far as each is the token that would have been chosen anyway. Where they fail, more of the past must
be equal before the next guess, and it is short; where they hold they grow longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_KEY: Final = 4  # so many equal tokens at the least: after fewer, program code alone gains from guesses
_EQUAL_MOST: Final = 256
_TOKENS_MOST: Final = 7  # more of them cost a processor as much as they save


class PromptLookup:
    """The guesses of one reply."""

    def __init__(self) -> None:
        self._followed: dict[tuple[int, ...], int] = {}  # the last place after these tokens
        self._place = _KEY
        self._equal, self._length = _KEY, 1

    def guess(self, context: Sequence[int]) -> list[int]:
        """What may follow `context`, which begins with what was given before; nothing where nothing is likely."""
        for place in range(self._place, len(context)):
            self._followed[tuple(context[place - _KEY : place])] = place
        self._place = max(self._place, len(context))
        found = self._followed.get(tuple(context[-_KEY:]))
        if found is None or not _ends_alike(context, found, self._equal):
            return []
        return list(context[found : found + self._length])

    def learn(self, guessed: int, right: int) -> None:
        """So many tokens were guessed last, and so many of the first were right."""
        if guessed == 0:
            return
        if right == guessed:
            self._equal, self._length = max(self._equal // 2, _KEY), min(2 * self._length + 1, _TOKENS_MOST)
        elif right:
            self._length = right
        else:
            self._equal, self._length = min(2 * self._equal, _EQUAL_MOST), 1


def _ends_alike(context: Sequence[int], place: int, count: int) -> bool:
    """Whether the `count` tokens before `place` are those at the end."""
    return place >= count and context[place - count : place] == context[-count:]
