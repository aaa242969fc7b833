"""How an AI is, in plain words: its health, its cycles, how long they last and why, and its engine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from personal_ai.app.canisters import Engine
from personal_ai.deployments.bill import Line
from personal_ai.deployments.health import Health
from personal_ai.deployments.runway import Level, Runway
from ui.text import FIRM, big_number, count, duration, tr

if TYPE_CHECKING:
    from ui.ai_desk import AiView

_TRILLION = 10**12
_NS_PER_S = 10**9
_S_PER_DAY = 86_400
_FAR_DAYS = 3650


def health_words(health: Health) -> tuple[str, str]:
    """In a few words, and the tone of a mark that says so."""
    return {
        Health.ANSWERING: (tr("Answers"), "good"),
        Health.LOADING: (tr("Loading its model"), "accent"),
        Health.STOPPED: (tr("Stopped"), "warning"),
        Health.FROZEN: (tr("Frozen"), "bad"),
        Health.EMPTY: (tr("Nothing in it"), "bad"),
        Health.LEAVING: (tr("Half deleted"), "warning"),
        Health.OUTDATED: (tr("Engine out of date"), "warning"),
        Health.FAILED: (tr("Its model does not load"), "bad"),
    }[health]


def health_advice(health: Health) -> str:
    """What that means and what to do; empty where all is well."""
    return {
        Health.ANSWERING: "",
        Health.LOADING: tr("It answers as soon as the model is in its memory. This computer answers meanwhile."),
        Health.STOPPED: tr("It answers nothing and pays only its rent, until you start it again."),
        Health.FROZEN: tr("It answers nothing until it has cycles again. It has lost nothing: top it up."),
        Health.EMPTY: tr("There is no engine or no model in it. Upgrade the engine, or replace the model."),
        Health.LEAVING: tr("Deleting it was begun, and its model is gone. Delete it again to get its cycles back."),
        Health.OUTDATED: tr("The program in it speaks an interface that is not known here. Upgrade the engine."),
        Health.FAILED: tr("Go back to a snapshot, or put a model in anew."),
    }[health]


def view_words(view: AiView) -> tuple[str, str]:
    """The mark of an AI, also where nobody could look."""
    if view.problem is not None:
        return tr("Cannot be reached"), "warning"
    if view.sight is None:
        return tr("Looking…"), "plain"
    return health_words(view.sight.look.health)


def engine_words(engine: Engine) -> tuple[str, str]:
    """Whether the module is the one that came with this program, and the tone of the mark."""
    return {
        Engine.SHIPPED: (tr("Engine checked"), "good"),
        Engine.OTHER: (tr("Another engine"), "warning"),
        Engine.NONE: (tr("No engine"), "bad"),
    }[engine]


def engine_meaning(engine: Engine) -> str:
    return {
        Engine.SHIPPED: tr(
            "The network certifies that the canister runs exactly the program that came with this app, byte for byte."
        ),
        Engine.OTHER: tr(
            "The network certifies another program than the one that came with this app: an earlier version of it, or "
            "something else. If you did not put it there, find out before you trust it with words."
        ),
        Engine.NONE: tr("The network certifies that there is no program in the canister."),
    }[engine]


# Cycles


def cycles_words(cycles: int) -> str:
    """A sum of cycles with three digits or so: 3.41 T."""
    if cycles >= _TRILLION // 10:
        return f"{cycles / _TRILLION:,.2f}{FIRM}T"
    return big_number(cycles)


def runway_number(runway: Runway) -> str:
    """The days that are left, as a figure."""
    if runway.level is Level.FROZEN:
        return tr("None")
    if runway.days_left > _FAR_DAYS:
        return tr("10 years +")
    return count(int(runway.days_left), tr("day"), tr("days"))


def runway_words(runway: Runway, seen_at_ns: int) -> str:
    """Until when it lasts."""
    if runway.level is Level.FROZEN:
        return tr("Frozen until it is topped up")
    if runway.days_left > _FAR_DAYS:
        return tr("Enough for more than ten years")
    return tr("Enough until {day}").format(day=day(seen_at_ns + round(runway.days_left * _S_PER_DAY * _NS_PER_S)))


def runway_advice(runway: Runway) -> str:
    """What its owner should do; empty where all is well."""
    return {
        Level.FINE: "",
        Level.LOW: tr("Top it up in the next weeks."),
        Level.URGENT: tr("Top it up now: it freezes within days, and then answers nothing."),
        Level.FROZEN: tr("It is frozen and answers nothing, but has lost nothing. Top it up."),
    }[runway.level]


def runway_reasons(runway: Runway) -> list[str]:
    """How the forecast comes about, one sentence each."""
    reasons = [
        tr("It has {cycles} cycles: what a canister pays with for its memory and its work.").format(
            cycles=cycles_words(runway.cycles)
        ),
        tr("{cycles} of them are held back, its rent for {days}; once there are no more, it freezes.").format(
            cycles=cycles_words(runway.held_back), days=count(round(runway.freezing_days), tr("day"), tr("days"))
        ),
        tr("Its rent takes {cycles} a day.").format(cycles=cycles_words(runway.rent_per_day)),
    ]
    if runway.used_per_day is None:
        reasons.append(tr("What answering takes on top is not known yet: it was not watched for long enough."))
    elif runway.used_per_day > runway.rent_per_day:
        on_top = cycles_words(runway.used_per_day - runway.rent_per_day)
        reasons.append(tr("Answering took {cycles} a day on top, over the last two weeks.").format(cycles=on_top))
    else:
        reasons.append(tr("Answering took next to nothing on top, over the last two weeks."))
    return reasons


def bill_words(lines: Sequence[Line]) -> list[str]:
    """What its deployment was planned to cost, beside what it did cost; a sentence for each item."""
    names = {
        "create and install": tr("Making it"),
        "upload": tr("The upload"),
        "verify": tr("Checking the upload"),
        "storage of a day": tr("Rent of a day"),
        "answers so far": tr("Its answers so far"),
    }
    known, unknown = tr("{what}: planned {planned} cycles, really {spent}."), tr("{what}: planned {planned} cycles.")
    return [
        (unknown if line.spent is None else known).format(
            what=names[line.what], planned=cycles_words(line.planned), spent=cycles_words(line.spent or 0)
        )
        for line in lines
    ]


# Times


def day(time_ns: int) -> str:
    """A date as it is written in a letter: 3 March 2027."""
    return time.strftime("%d %B %Y", time.localtime(time_ns / _NS_PER_S)).lstrip("0")


def age(time_ns: int) -> str:
    """How long ago something was: 3 h ago."""
    seconds = max(0.0, time.time() - time_ns / _NS_PER_S)
    if seconds < 60:
        return tr("just now")
    if seconds < 2 * _S_PER_DAY:
        return tr("{time} ago").format(time=duration(seconds))
    return tr("{days} ago").format(days=count(int(seconds // _S_PER_DAY), tr("day"), tr("days")))


def last_known(view: AiView) -> str:
    """What was seen last, with its age, for an AI that cannot be reached; empty where it never was seen."""
    if view.sight is not None:
        look, seen_at_ns = view.sight.look, view.sight.seen_at_ns
        words, _ = health_words(look.health)
        return tr("Seen {age}: {health}; {cycles} cycles. {until}.").format(
            age=age(seen_at_ns),
            health=words.lower(),
            cycles=cycles_words(look.status.cycles),
            until=runway_words(look.runway, seen_at_ns),
        )
    if view.readings:
        last = view.readings[-1]
        return tr("Seen {age}: {cycles} cycles.").format(age=age(last.time_ns), cycles=cycles_words(last.cycles))
    return ""
