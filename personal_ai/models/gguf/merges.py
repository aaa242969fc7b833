"""SentencePiece's scores as the ranked merges that byte-pair encoders want."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

_MAX_TOKEN_LENGTH = 256  # the cuts of a longer one would grow with the square; nobody has such


def merges_by_score(vocabulary: Iterable[str], scores: Mapping[str, float]) -> list[list[str]]:
    """Every cut of a token that has a score into two of the vocabulary's, the greatest score first.

    That is SentencePiece's rule (Kudo and Richardson 2018): of all neighbours, the two are merged whose token has the
    greatest score. Equal scores go by the longer left part, as in transformers; that matters in runs of spaces alone.
    """
    known = set(vocabulary)
    merges = [
        (token[:cut], token[cut:])
        for token in scores
        for cut in range(1, min(len(token), _MAX_TOKEN_LENGTH))
        if token[:cut] in known and token[cut:] in known
    ]
    merges.sort(key=lambda pair: (-scores[pair[0] + pair[1]], -len(pair[0]), -len(pair[1])))
    return [list(pair) for pair in merges]
