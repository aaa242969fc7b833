"""Where a reply came from and how it came about, in words."""

from __future__ import annotations

from personal_ai.chat.conversation import Place, ReplyFacts
from ui.text import DOT, FIRM, big_number, count, sentence, short_number, tr


def place_name(place: Place) -> str:
    """Where words go, in a word or two."""
    return {
        Place.LOCAL: tr("This computer"),
        Place.PRACTICE: tr("Practice network"),
        Place.CANISTER: tr("Your canister"),
    }[place]


def facts_line(facts: ReplyFacts) -> str:
    """The facts of a reply in one line."""
    parts = [_places(facts), count(facts.tokens, tr("token"), tr("tokens"))]
    if facts.seconds > 0 and facts.tokens > 1:
        parts.append(tr("{rate} tokens/s").replace(" ", FIRM).format(rate=short_number(facts.tokens / facts.seconds)))
    if facts.calls:
        parts.append(count(facts.calls, tr("call"), tr("calls")))
    if facts.instructions:
        parts.append(tr("{number} instructions").replace(" ", FIRM).format(number=big_number(facts.instructions)))
    if facts.cycles:
        parts.append(tr("about {number} cycles").replace(" ", FIRM).format(number=big_number(facts.cycles)))
    if facts.finish == "cancelled":
        parts.append(tr("stopped by you"))
    elif facts.finish == "interrupted":
        parts.append(tr("broke off when the program ended"))
    elif facts.finish == "max_tokens":
        parts.append(tr("cut at the length limit"))
    return DOT.join(parts)


def _places(facts: ReplyFacts) -> str:
    """Where the reply came from; both, where its rest came from elsewhere."""
    if facts.continued_locally_at is None:
        return place_name(facts.place)
    if facts.place is Place.LOCAL:
        return tr("A canister, then this computer")
    return tr("This computer, then: {place}").format(place=place_name(facts.place))


def fallback_sentence(reason: str, *, continued: bool) -> str:
    """Why this computer answers, or goes on, in place of the canister."""
    rest = (
        tr("The reply broke off; the rest comes from the same weights on this computer.")
        if continued
        else tr("This answer comes from the same weights on this computer.")
    )
    return f"{sentence(reason)} {rest}"


def cut_sentence(summary: str) -> str:
    """The mark in a conversation from which on the model is told it."""
    told = tr("The model is no longer told what stands above.")
    return f"{told} {tr('It is told instead:')} {summary}" if summary else told
