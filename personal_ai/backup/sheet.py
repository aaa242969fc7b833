"""The recovery sheet: what to print and put away, so that a new computer can go on with phrase and canister ids."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from personal_ai.deployments.journal import Deployment
from personal_ai.identities.vault import IdentityRecord

_STEPS = (
    "Install Personal AI on the new computer.",
    "Make a vault from the phrase: personal-ai vault create --phrase-file FILE (or the window's first page).",
    "For each canister below: personal-ai recover CANISTER. It finds the identity, and fetches the model back.",
    "Ask something: personal-ai chat.",
)
_WARNING = "Whoever has this sheet has your canisters and your money. Keep it where you keep your passport."
_WITHOUT_PHRASE = (
    "The recovery phrase is not on this sheet: you wrote it down elsewhere. Without it nothing comes back."
)
_IMPORTED = "imported key: needs its key file or a backup"
_STYLE = "body{font:12pt sans-serif;max-width:45em;margin:2em auto}code{font-size:11pt}ol.words{columns:3}"


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on it. `phrase` is None where the user wants it on another paper."""

    made_on: str
    phrase: str | None
    identities: Sequence[IdentityRecord]
    deployments: Sequence[Deployment]

    def __repr__(self) -> str:
        return f"Sheet({self.made_on})"

    def to_text(self) -> str:
        """Plain text, lines of at most 100 characters or one id."""
        parts = [f"Personal AI: recovery sheet of {self.made_on}", ""]
        if self.phrase is None:
            parts.append(_WITHOUT_PHRASE)
        else:
            words = self.phrase.split()
            parts += [_WARNING, "", "Recovery phrase"]
            parts += [f"{place:>4}. {word}" for place, word in enumerate(words, 1)]
        parts += ["", "Canisters"]
        parts += _indented(self._canisters())
        parts += ["", "Identities (number under the phrase, principal, label)"]
        parts += _indented(self._identities())
        parts += ["", "On a new computer"]
        parts += [f"{number:>4}. {step}" for number, step in enumerate(_STEPS, 1)]
        return "\n".join((*parts, ""))

    def to_html(self) -> str:
        """A page to print; it loads nothing from anywhere."""
        if self.phrase is None:
            phrase = f"<p>{_WITHOUT_PHRASE}</p>"
        else:
            phrase = f"<p><b>{_WARNING}</b></p><h2>Recovery phrase</h2>{_list(self.phrase.split(), 'ol', 'words')}"
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Recovery sheet</title>'
            f"<style>{_STYLE}</style></head><body><h1>Personal AI: recovery sheet of {html.escape(self.made_on)}</h1>"
            f"{phrase}<h2>Canisters</h2>{_list(self._canisters())}"
            f"<h2>Identities</h2>{_list(self._identities())}<h2>On a new computer</h2>{_list(_STEPS, 'ol')}"
            "</body></html>\n"
        )

    def _canisters(self) -> list[str]:
        indices = {str(record.principal): record.index for record in self.identities}
        return [
            f"{one.canister_id} on {one.network}: {one.name}, {one.model}, {_number(indices.get(one.principal))}"
            for one in self.deployments
            if one.canister_id is not None
        ]

    def _identities(self) -> list[str]:
        return [f"{_number(record.index)}: {record.principal} {record.label}" for record in self.identities]


def _number(index: int | None) -> str:
    return _IMPORTED if index is None else f"identity {index}"


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines] or ["    none"]


def _list(items: Iterable[str], tag: str = "ul", name: str = "") -> str:
    kind = f' class="{name}"' if name else ""
    body = "".join(f"<li>{html.escape(item)}</li>" for item in items)
    return f"<{tag}{kind}>{body}</{tag}>" if body else "<p>none</p>"
