from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from ic.identity import Identity as OracleIdentity

from personal_ai.common.errors import FormatError
from personal_ai.identities import keys, phrase
from personal_ai.identities.errors import KeyImportError
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
    master = keys.hmac.digest(b"Bitcoin seed", seed, "sha512")
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


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, form: str = "PKCS8") -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        getattr(serialization.PrivateFormat, form),
        serialization.NoEncryption(),
    )


SECP256K1 = ec.derive_private_key(int.from_bytes(SECRET, "big"), ec.SECP256K1())
ED25519 = ed25519.Ed25519PrivateKey.from_private_bytes(SECRET)
DFX_PREFIX = b"-----BEGIN EC PARAMETERS-----\nBgUrgQQACg==\n-----END EC PARAMETERS-----\n"


def dfx_ed25519(secret: bytes = SECRET) -> bytes:
    """PKCS#8 version 2 with the public key, as dfx writes it."""
    body = bytes.fromhex("3053020101300506032b657004220420") + secret
    body += bytes.fromhex("a123032100") + ED25519.public_key().public_bytes_raw()
    text = keys.base64.encodebytes(body)
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (pem(SECP256K1), "secp256k1"),
        (pem(SECP256K1, "TraditionalOpenSSL"), "secp256k1"),
        (DFX_PREFIX + pem(SECP256K1, "TraditionalOpenSSL"), "secp256k1"),
        (b"words before\r\n" + pem(SECP256K1).replace(b"\n", b"\r\n"), "secp256k1"),
        (pem(ED25519), "ed25519"),
        (dfx_ed25519(), "ed25519"),
    ],
)
def test_pem_files(content: bytes, algorithm: str) -> None:
    key = keys.from_pem(content)
    assert (key.algorithm, key.secret) == (algorithm, SECRET)


def test_the_same_principals_as_another_implementation() -> None:
    oracle = OracleIdentity(SECRET.hex(), "ed25519")
    assert keys.from_pem(pem(ED25519)).identity().principal.bytes == oracle.sender().bytes
    oracle = OracleIdentity(SECRET.hex(), "secp256k1")
    assert keys.from_pem(pem(SECP256K1)).identity().principal.bytes == oracle.sender().bytes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no private key"),
        (pem(SECP256K1) + b" " * 20_000, "no private key"),
        (DFX_PREFIX, "no private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not known"),
        (pem(rsa.generate_private_key(65537, 2048)), "not known"),
        (dfx_ed25519(SECRET[:-1] + b"x"), "cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----", "cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----\nMFMCAQEwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----", "cannot be read"),
        (
            SECP256K1.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.BestAvailableEncryption(b"x"),
            ),
            "encrypted",
        ),
    ],
)
def test_files_that_hold_no_usable_key(content: bytes, said: str) -> None:
    with pytest.raises(KeyImportError, match=said):
        keys.from_pem(content)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
def test_any_file_is_a_key_or_refused(content: bytes, place: int, byte: int) -> None:
    changed = bytearray(pem(SECP256K1))
    changed[place % len(changed)] = byte
    wrapped = b"-----BEGIN PRIVATE KEY-----\n" + content + b"\n-----END PRIVATE KEY-----"
    for candidate in (content, wrapped, bytes(changed)):
        try:
            keys.from_pem(candidate).identity()
        except KeyImportError as error:
            assert error.__cause__ is None
            assert error.__suppress_context__ or error.__context__ is None


def test_an_impossible_key_is_refused() -> None:
    with pytest.raises(FormatError):
        SecretKey("secp256k1", bytes(32)).identity()
