from __future__ import annotations

import numpy as np
import pytest
import zxingcpp

from personal_ai.identities import qr

PRINCIPAL = "tgzar-4lpln-fq34h-6hxo4-wlm3x-6g3or-6hxvr-d6jbw-ooh2b-lzsw4-aqe"


@pytest.mark.parametrize("text", [PRINCIPAL, "0a" * 32])
def test_another_program_reads_what_was_drawn(text: str) -> None:
    dark = np.array(qr.modules(text))
    image = np.where(np.kron(dark, np.ones((4, 4), bool)), 0, 255).astype(np.uint8)
    [found] = zxingcpp.read_barcodes(image)
    assert found.text == text


def test_it_can_be_shown_on_a_page_and_in_a_terminal() -> None:
    assert qr.svg(PRINCIPAL).startswith("<svg") and "#fff" in qr.svg(PRINCIPAL)
    assert len(qr.terminal(PRINCIPAL).splitlines()) > 15
