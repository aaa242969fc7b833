"""Words and numbers as people read them. No Qt widgets here; every text of the window goes through `tr`."""

from __future__ import annotations

import time

from PySide6.QtCore import QCoreApplication

from personal_ai.common.jobs import Progress

DOT = "  ·  "
FIRM = "\N{NO-BREAK SPACE}"  # a number and its unit stay on one line


def tr(text: str) -> str:
    """The text in the language of the user, where a translation is installed."""
    return QCoreApplication.translate("ui", text)


def network_name(network: str) -> str:
    """A network profile's name as a person would say it; own networks keep the name they were given."""
    return {"practice": tr("Practice network"), "ic": tr("Internet Computer")}.get(network, network)


def progress_line(progress: Progress) -> str:
    """How far a step is, how fast, and how long it will take."""
    parts = []
    if progress.total > 1:
        done, total = amount(progress.done, progress.unit), amount(progress.total, progress.unit)
        parts.append(tr("{done} of {total}").format(done=done.removesuffix(f"{FIRM}{progress.unit}"), total=total))
    if progress.rate_per_s:
        parts.append(f"{amount(progress.rate_per_s, progress.unit)}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(tr("about {time} left").format(time=duration(progress.remaining_s)))
    return DOT.join(parts)


def amount(number: float, unit: str) -> str:
    """A count with its unit; bytes in the unit that suits them."""
    return size(number) if unit in ("B", "bytes") else f"{short_number(number)}{FIRM}{unit}"


def size(number_bytes: float) -> str:
    """Bytes in decimal units: 4.1 MB."""
    for factor, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number_bytes >= factor:
            return f"{short_number(number_bytes / factor)}{FIRM}{unit}"
    return f"{number_bytes:.0f}{FIRM}B"


def big_number(number: float) -> str:
    """A large count: 2.6 B, 412 M, 9,120."""
    for factor, unit in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
        if number >= factor:
            return f"{short_number(number / factor)}{FIRM}{unit}"
    return f"{number:,.0f}"


def short_number(number: float) -> str:
    """One digit behind the point below 100, none above."""
    if number >= 100 or number == int(number):
        return f"{number:,.0f}"
    return f"{number:.1f}"


def count(number: int, one: str, many: str) -> str:
    return f"{number:,}{FIRM}{one if number == 1 else many}"


def duration(seconds: float) -> str:
    """A rough time: 8 s, 2 min, 3 h."""
    if seconds < 60:
        return f"{max(1, round(seconds))}{FIRM}s"
    if seconds < 90 * 60:
        return f"{round(seconds / 60)}{FIRM}min"
    return f"{round(seconds / 3600)}{FIRM}h"


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
