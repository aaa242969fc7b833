"""Words and numbers as people read them. No Qt widgets here; every text of the window goes through `tr`."""

from __future__ import annotations

import time

from PySide6.QtCore import QCoreApplication

from personal_ai.chat.conversation import Place, ReplyFacts
from personal_ai.common.jobs import Progress

DOT = "  ·  "
_FIRM = "\N{NO-BREAK SPACE}"  # a number and its unit stay on one line


def tr(text: str) -> str:
    """The text in the language of the user, where a translation is installed."""
    return QCoreApplication.translate("ui", text)


def place_name(place: Place) -> str:
    """Where words go, in a word or two."""
    return {
        Place.LOCAL: tr("This computer"),
        Place.PRACTICE: tr("Practice network"),
        Place.CANISTER: tr("Your canister"),
    }[place]


def network_name(network: str) -> str:
    """A network profile's name as a person would say it; own networks keep the name they were given."""
    return {"practice": tr("Practice network"), "ic": tr("Internet Computer")}.get(network, network)


def facts_line(facts: ReplyFacts) -> str:
    """The facts of a reply in one line."""
    parts = [place_name(facts.place), count(facts.tokens, tr("token"), tr("tokens"))]
    if facts.seconds > 0 and facts.tokens > 1:
        parts.append(tr("{rate} tokens/s").replace(" ", _FIRM).format(rate=short_number(facts.tokens / facts.seconds)))
    if facts.calls:
        parts.append(count(facts.calls, tr("call"), tr("calls")))
    if facts.instructions:
        parts.append(tr("{number} instructions").replace(" ", _FIRM).format(number=big_number(facts.instructions)))
    if facts.finish == "cancelled":
        parts.append(tr("stopped by you"))
    elif facts.finish == "max_tokens":
        parts.append(tr("cut at the length limit"))
    return DOT.join(parts)


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


def progress_line(progress: Progress) -> str:
    """How far a step is, how fast, and how long it will take."""
    parts = []
    if progress.total > 1:
        done, total = amount(progress.done, progress.unit), amount(progress.total, progress.unit)
        parts.append(tr("{done} of {total}").format(done=done.removesuffix(f"{_FIRM}{progress.unit}"), total=total))
    if progress.rate_per_s:
        parts.append(f"{amount(progress.rate_per_s, progress.unit)}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(tr("about {time} left").format(time=duration(progress.remaining_s)))
    return DOT.join(parts)


def amount(number: float, unit: str) -> str:
    """A count with its unit; bytes in the unit that suits them."""
    return size(number) if unit in ("B", "bytes") else f"{short_number(number)}{_FIRM}{unit}"


def size(number_bytes: float) -> str:
    """Bytes in decimal units: 4.1 MB."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number_bytes >= factor:
            return f"{short_number(number_bytes / factor)}{_FIRM}{unit}"
    return f"{number_bytes:.0f}{_FIRM}B"


def big_number(number: float) -> str:
    """A large count: 2.6 B, 412 M, 9,120."""
    for factor, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= factor:
            return f"{short_number(number / factor)}{_FIRM}{unit}"
    return f"{number:,.0f}"


def short_number(number: float) -> str:
    """One digit behind the point below 100, none above."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.1f}"


def count(number: int, one: str, many: str) -> str:
    return f"{number:,}{_FIRM}{one if number == 1 else many}"


def duration(seconds: float) -> str:
    """A rough time: 8 s, 2 min, 3 h."""
    if seconds < 60:
        return f"{max(1, round(seconds))}{_FIRM}s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)}{_FIRM}min"
    return f"{round(seconds / 3600)}{_FIRM}h"


def clock(time_ns: int) -> str:
    """A moment as a short local time, with the day when it was not today."""
    then = time.localtime(time_ns / 1e9)
    today = time.localtime()
    pattern = "%H:%M" if then[:3] == today[:3] else "%d %b %Y, %H:%M"
    return time.strftime(pattern, then)


def sentence(text: str) -> str:
    """The text with a full stop where it has no end of its own."""
    text = text.strip()
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def shortened(identifier: str) -> str:
    """A long identifier by its ends: 2vxsx-…-fae."""
    groups = identifier.split("-")
    return identifier if len(groups) < 4 else f"{groups[0]}-…-{groups[-1]}"
