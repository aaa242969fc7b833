from __future__ import annotations

import sys
from hashlib import sha256
from typing import Any

import pytest
from py_ecc.bls.hash_to_curve import hash_to_G1
from py_ecc.bls.point_compression import compress_G1, compress_G2, decompress_G1, decompress_G2
from py_ecc.bls.typing import G1Compressed, G2Compressed
from py_ecc.optimized_bls12_381 import G2, multiply, pairing

from personal_ai.common.errors import FormatError
from personal_ai.ic import bls

sys.setrecursionlimit(1000)  # importing py_ecc lifts the whole process's limit, which hides endless recursion elsewhere

DST = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
MESSAGE = b"\x0dic-state-root" + bytes(32)
SHA256: Any = sha256  # py_ecc says that it wants a hash and calls what makes one


def test_a_signature_of_an_independent_implementation_holds() -> None:
    secret = 0x1234567890ABCDEF << 100
    public_key = b"".join(part.to_bytes(48, "big") for part in compress_G2(multiply(G2, secret)))
    signature = compress_G1(multiply(hash_to_G1(MESSAGE, DST, SHA256), secret)).to_bytes(48, "big")
    assert bls.verify(public_key, MESSAGE, signature)


def test_our_signature_holds_for_an_independent_implementation() -> None:
    key = bls.SigningKey(b"seed")
    signature = decompress_G1(G1Compressed(int.from_bytes(key.sign(MESSAGE), "big")))
    first, second = (int.from_bytes(half, "big") for half in (key.public_key[:48], key.public_key[48:]))
    public_key = decompress_G2(G2Compressed((first, second)))
    assert pairing(G2, signature) == pairing(public_key, hash_to_G1(MESSAGE, DST, SHA256))


def test_a_signature_is_on_one_message_by_one_key() -> None:
    key, other = bls.SigningKey(b"seed"), bls.SigningKey(b"another seed")
    signature = key.sign(MESSAGE)
    assert bls.verify(key.public_key, MESSAGE, signature)
    assert not bls.verify(key.public_key, MESSAGE + b"\x00", signature)
    assert not bls.verify(other.public_key, MESSAGE, signature)
    assert not bls.verify(key.public_key, MESSAGE, other.sign(MESSAGE))


def test_every_flipped_bit_of_a_signature_and_of_a_key_is_seen() -> None:
    key = bls.SigningKey(b"seed")
    signature = key.sign(MESSAGE)
    for place in range(0, 8 * len(signature), 5):
        assert not bls.verify(key.public_key, MESSAGE, _flipped(signature, place))
    for place in range(0, 8 * len(key.public_key), 11):
        assert not bls.verify(_flipped(key.public_key, place), MESSAGE, signature)


def _flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def test_the_point_at_infinity_signs_nothing() -> None:
    infinite_key, infinite_signature = b"\xc0" + bytes(95), b"\xc0" + bytes(47)
    assert not bls.verify(infinite_key, MESSAGE, infinite_signature)
    assert not bls.verify(bls.SigningKey(b"seed").public_key, MESSAGE, infinite_signature)


def test_a_point_outside_the_group_is_refused() -> None:
    """x = 4 is on the curve of G1 and not in its group of prime order."""
    outside = b"\x80" + bytes(46) + b"\x04"
    point = decompress_G1(G1Compressed(int.from_bytes(outside, "big")))
    assert multiply(point, bls._GROUP_ORDER)[2] != 0  # not the point at infinity
    assert not bls.verify(bls.SigningKey(b"seed").public_key, MESSAGE, outside)


@pytest.mark.parametrize(("key_size", "signature_size"), [(0, 48), (95, 48), (96, 0), (96, 47), (96, 49)])
def test_wrong_sizes_are_refused(key_size: int, signature_size: int) -> None:
    assert not bls.verify(b"\x80" * key_size, MESSAGE, b"\x80" * signature_size)


def test_der_form() -> None:
    key = bls.SigningKey(b"seed")
    assert len(key.public_key_der) == 133
    assert bls.public_key_from_der(key.public_key_der) == key.public_key
    for wrong in (b"", key.public_key, key.public_key_der[:-1], b"\x31" + key.public_key_der[1:]):
        with pytest.raises(FormatError):
            bls.public_key_from_der(wrong)


def test_the_key_is_made_from_its_seed_and_never_shown() -> None:
    assert bls.SigningKey(b"seed").public_key == bls.SigningKey(b"seed").public_key
    assert repr(bls.SigningKey(b"seed")) == "SigningKey()"
