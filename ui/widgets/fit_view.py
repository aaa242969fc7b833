"""How a model would do, here and in a canister: a verdict, the reason, and the figures behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from ui.text import DOT, FIRM, count, duration, short_number, size, tr
from ui.theme.tokens import SPACE_M, SPACE_S, SPACE_XS
from ui.widgets.basic import chip, column, label, row

if TYPE_CHECKING:
    from personal_ai.deployments.fit import Fit, Here, InCanister

_TONES = {"well": "good", "slowly": "warning", "not": "bad"}


def verdict_line(fit: Fit) -> str:
    """Both verdicts in one line."""
    here, canister = fit.here, fit.canister
    parts = [tr("Here: {verdict}").format(verdict=_paced(here.verdict, here.tokens_per_s))]
    pace = canister.tokens_per_s if canister.plan else None
    parts.append(tr("in a canister: {verdict}").format(verdict=_paced(canister.verdict, pace)))
    return DOT.join(parts)


class FitView(QWidget):
    """One model in one quantisation."""

    def __init__(self, fit: Fit) -> None:
        super().__init__()
        layout = column(self, spacing=SPACE_M)
        layout.addWidget(_Verdict(tr("On this computer"), fit.here.verdict, fit.here.reason, _here_facts(fit.here)))
        layout.addWidget(
            _Verdict(tr("In a canister"), fit.canister.verdict, fit.canister.reason, _canister_facts(fit.canister))
        )
        layout.addWidget(label(" ".join(fit.privacy), "small", wrap=True))


class _Verdict(QWidget):
    def __init__(self, where: str, verdict: str, reason: str, facts: str) -> None:
        super().__init__()
        words = _verdict(verdict)
        self.setAccessibleName(f"{where}: {words}. {reason}")
        layout = column(self, spacing=SPACE_XS)
        head = row(spacing=SPACE_S)
        head.addWidget(label(where, "strong"))
        head.addWidget(chip(words, _TONES[verdict]))
        head.addStretch()
        layout.addLayout(head)
        layout.addWidget(label(reason, wrap=True))
        if facts:
            layout.addWidget(label(facts, "small", wrap=True))


def _verdict(verdict: str) -> str:
    return {"well": tr("Runs well"), "slowly": tr("Runs slowly"), "not": tr("Does not run")}[verdict]


def _paced(verdict: str, tokens_per_s: float | None) -> str:
    words = _verdict(verdict).lower()
    if tokens_per_s is None:
        return words
    return tr("{verdict}, about {pace} tokens/s").format(verdict=words, pace=short_number(tokens_per_s))


def _here_facts(here: Here) -> str:
    return DOT.join(
        (
            tr("{size} on the disk").format(size=size(here.size_bytes)),
            tr("about {size} of memory").format(size=size(here.memory_bytes)),
        )
    )


def _canister_facts(canister: InCanister) -> str:
    if canister.plan is None:
        return ""
    tokens = canister.plan.replies.reply_tokens
    return DOT.join(
        (
            tr("{count} a call").format(count=count(canister.tokens_per_call, tr("token"), tr("tokens"))),
            tr("{time} for a reply of {count}").format(
                time=duration(canister.reply_s), count=count(tokens, tr("token"), tr("tokens"))
            ),
            tr("{size} of memory").format(size=size(canister.heap_bytes)),
            tr("upload {time} or more, {price}").format(
                time=duration(canister.upload_s), price=_price(canister.upload_usd)
            ),
            tr("storage {price} a month").format(price=_price(canister.month_usd)),
        )
    )


def _price(usd: float) -> str:
    words = tr("less than 0.01 USD") if usd < 0.01 else tr("about {usd} USD").format(usd=f"{usd:.2f}")
    return words.replace(" ", FIRM)
