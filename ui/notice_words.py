"""What the program tells unasked, in words: within its window by name, outside of it without any."""

from __future__ import annotations

from personal_ai.app.notices import Notice, NoticeKind
from ui.text import count, tr


def words_inside(notice: Notice) -> str:
    """For the window, which only its owner has before them."""
    days = count(int(notice.days_left or 0), tr("day"), tr("days"))
    words = {
        NoticeKind.RUNWAY_LOW: tr("{name} has cycles for {days} more: see My AIs."),
        NoticeKind.RUNWAY_URGENT: tr("{name} needs cycles now: they last {days} more. See My AIs."),
        NoticeKind.FROZEN: tr("{name} has too few cycles to answer. Its model is kept: top it up on My AIs."),
        NoticeKind.TOPPED_UP: tr("{name} was topped up, within its budget."),
        NoticeKind.BUDGET_SPENT: tr("{name} needs cycles, and its budget for this month is used up: see My AIs."),
        NoticeKind.BUDGET_PAUSED: tr("{name} needs cycles. Its budget came from a backup: allow it anew on My AIs."),
        NoticeKind.TOP_UP_FAILED: tr("{name} could not be topped up: see My AIs."),
        NoticeKind.DEPLOYED: tr("{name} can be asked."),
    }[notice.kind]
    return words.format(name=notice.deployment.name, days=days)


def words_outside(notice: Notice) -> str:
    """For the system's notifications, which others see and the system may keep: no name, no number."""
    if notice.kind is NoticeKind.DEPLOYED:
        return tr("An upload is finished.")
    if notice.kind is NoticeKind.TOPPED_UP:
        return tr("One of your AIs was topped up.")
    return tr("One of your AIs needs you to look after it.")
