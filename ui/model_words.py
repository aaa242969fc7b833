"""What a model is, in words that need no knowledge of models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.text import DOT, count, size, tr

if TYPE_CHECKING:
    from ui.core import Model

_WORDS_PER_TOKEN = 0.75  # of English prose in the usual vocabularies


def quality(quantisation: str) -> str:
    """How exactly the weights are kept."""
    return {"int8": tr("good quality"), "int4": tr("smaller, a little less exact")}.get(
        quantisation, tr("full quality")
    )


def packing(quantisation: str) -> str:
    """The same to choose from, with the figure that models are compared by elsewhere."""
    return {
        "int8": tr("Good quality (8 bits a weight)"),
        "int4": tr("Smaller, a little less exact (4 bits a weight)"),
    }.get(quantisation, tr("Full quality (as it came)"))


def remembered(context_length: int) -> str:
    """How much of a conversation the model can follow."""
    about = _rounded(_WORDS_PER_TOKEN * context_length)
    return tr("follows about {words} of a conversation").format(words=count(about, tr("word"), tr("words")))


def facts(model: Model) -> str:
    """Size, quality and, where it talks, how much it follows."""
    parts = [tr("{quality}, {size}").format(quality=quality(model.quantisation), size=size(model.size_bytes))]
    if not model.embeds:
        parts.append(remembered(model.context_length))
    return DOT.join(parts)


def _rounded(number: float) -> int:
    """To two digits: more would claim to be exact."""
    digits = len(str(round(number)))
    return int(round(number, min(0, 2 - digits)))
