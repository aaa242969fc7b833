"""The short form of `tests.conformance.certificates`."""

from __future__ import annotations

from tests.conformance.certificates import measure


def test_mainnets_certificates_are_believed_and_no_forgery_is() -> None:
    outcome = measure(stride=2003)
    assert outcome.accepted_genuine == outcome.genuine == 5
    assert outcome.accepted_forged == 0
    assert outcome.forged > 150
