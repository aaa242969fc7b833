from __future__ import annotations

import hmac

import pytest

from personal_ai.common.errors import FormatError
from personal_ai.identities import keys, phrase
from personal_ai.identities.keys import SecretKey

ABANDON = "abandon " * 11 + "about"
# Its checksum is wrong on purpose of whoever published it: good for derivation only.
GIFT = "fly gift boat spy spider pizza pepper spend garbage garage blanket theory"
SECRET = bytes(range(1, 33))


@pytest.mark.parametrize(
    ("words", "principal"),
    [
        (ABANDON, "tgzar-4lpln-fq34h-6hxo4-wlm3x-6g3or-6hxvr-d6jbw-ooh2b-lzsw4-aqe"),
        (GIFT, "xllvd-4cd34-vvx4n-kdi4w-joqtv-qtnyx-5eqpd-smu2a-xjmp5-ik4qn-4qe"),
    ],
)
def test_identity_0_is_the_one_of_dfx_and_quill(words: str, principal: str) -> None:
    assert str(keys.derive(phrase.seed(words), 0).identity().principal) == principal


def test_bip32_vector() -> None:
    """Chain m/0'/1 of the standard's first test vector, step by step."""
    seed = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
    master = hmac.digest(b"Bitcoin seed", seed, "sha512")
    secret, chain = int.from_bytes(master[:32], "big"), master[32:]
    assert f"{secret:064x}" == "e8f32e723decf4051aefac8e2c93c9c5b214313817cdb01a1494b917c8436b35"
    secret, chain = keys._child(secret, chain, 1 << 31)
    assert f"{secret:064x}" == "edb2e14f9ee77d26dd93b4ecede8d16ed408ce149b6cd80b0715a2d911a0afea"
    secret, chain = keys._child(secret, chain, 1)
    assert f"{secret:064x}" == "3c6cb8d0f6a264c91ea8b5030fadaa8e538b020f0a387421a12de9319dc93368"
    assert chain.hex() == "2a7857631386ba23dacac34180dd1983734e444fdbf774041578e9b6adb37c19"


def test_every_number_is_another_identity() -> None:
    seed = phrase.seed(ABANDON)
    principals = {keys.derive(seed, index).identity().principal for index in range(20)}
    assert len(principals) == 20
    assert keys.derive(seed, 7) == keys.derive(seed, 7)


@pytest.mark.parametrize("index", [-1, 1 << 31])
def test_numbers_that_no_identity_has(index: int) -> None:
    with pytest.raises(ValueError, match="number"):
        keys.derive(bytes(64), index)


def test_a_key_is_not_shown() -> None:
    shown = repr(SecretKey("secp256k1", SECRET))
    assert "secp256k1" in shown
    assert "\\x" not in shown
    assert SECRET.hex() not in shown


def test_an_impossible_key_is_refused() -> None:
    with pytest.raises(FormatError):
        SecretKey("secp256k1", bytes(32)).identity()
