from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from ic.identity import Identity as OracleIdentity

from personal_ai.identities import pem
from personal_ai.identities.errors import KeyImportError, KeyPasswordError

SECRET = bytes(range(1, 33))


def as_pem(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, form: str = "PKCS8"
) -> bytes:
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
    text = base64.encodebytes(body)
    return b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("content", "algorithm"),
    [
        (as_pem(SECP256K1), "secp256k1"),
        (as_pem(SECP256K1, "TraditionalOpenSSL"), "secp256k1"),
        (DFX_PREFIX + as_pem(SECP256K1, "TraditionalOpenSSL"), "secp256k1"),
        (b"words before\r\n" + as_pem(SECP256K1).replace(b"\n", b"\r\n"), "secp256k1"),
        (as_pem(ED25519), "ed25519"),
        (dfx_ed25519(), "ed25519"),
    ],
)
def test_pem_files(content: bytes, algorithm: str) -> None:
    key = pem.read(content)
    assert (key.algorithm, key.secret) == (algorithm, SECRET)


def test_the_same_principals_as_another_implementation() -> None:
    oracle = OracleIdentity(SECRET.hex(), "ed25519")
    assert pem.read(as_pem(ED25519)).identity().principal.bytes == oracle.sender().bytes
    oracle = OracleIdentity(SECRET.hex(), "secp256k1")
    assert pem.read(as_pem(SECP256K1)).identity().principal.bytes == oracle.sender().bytes


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no private key"),
        (as_pem(SECP256K1) + b" " * 20_000, "no private key"),
        (DFX_PREFIX, "no private key"),
        (as_pem(ec.generate_private_key(ec.SECP256R1())), "not known"),
        (as_pem(rsa.generate_private_key(65537, 2048)), "not known"),
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
        pem.read(content)


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(0, 255))
def test_any_file_is_a_key_or_refused(content: bytes, place: int, byte: int) -> None:
    changed = bytearray(as_pem(SECP256K1))
    changed[place % len(changed)] = byte
    wrapped = b"-----BEGIN PRIVATE KEY-----\n" + content + b"\n-----END PRIVATE KEY-----"
    for candidate in (content, wrapped, bytes(changed)):
        try:
            pem.read(candidate).identity()
        except KeyImportError as error:
            assert error.__cause__ is None
            assert error.__suppress_context__ or error.__context__ is None


# ---- openssl writes, we read; we write, openssl reads


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


OPENSSL_GENERATES = {
    "secp256k1, SEC1 with parameters": (("ecparam", "-name", "secp256k1", "-genkey"), "secp256k1"),
    "secp256k1, SEC1": (("ecparam", "-name", "secp256k1", "-genkey", "-noout"), "secp256k1"),
    "secp256k1, PKCS#8": (("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1"), "secp256k1"),
    "Ed25519": (("genpkey", "-algorithm", "ED25519"), "ed25519"),
}
OPENSSL_ENCRYPTS = {
    "PBKDF2": ("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-iter", "5000"),
    "scrypt": ("pkcs8", "-topk8", "-scrypt"),
    "SEC1": ("ec", "-aes256"),
}


@pytest.mark.parametrize(("arguments", "algorithm"), OPENSSL_GENERATES.values(), ids=OPENSSL_GENERATES.keys())
def test_keys_of_openssl_come_in_and_go_back_the_same(arguments: tuple[str, ...], algorithm: str) -> None:
    made = openssl(*arguments)
    key = pem.read(made)
    public_key = openssl("pkey", "-pubout", "-outform", "DER", given=made)
    assert key.algorithm == algorithm
    assert key.identity().public_key_der == public_key
    for password in (None, "Grüezi miteinander"):
        exported = pem.write(key, password)
        asked = () if password is None else ("-passin", f"pass:{password}")
        assert openssl("pkey", "-pubout", "-outform", "DER", *asked, given=exported) == public_key
        assert pem.read(exported, password) == key


@pytest.mark.parametrize("arguments", OPENSSL_ENCRYPTS.values(), ids=OPENSSL_ENCRYPTS.keys())
def test_encrypted_keys_of_openssl_open_with_their_password_only(arguments: tuple[str, ...]) -> None:
    encrypted = openssl(*arguments, "-passout", "pass:word", given=as_pem(SECP256K1))
    assert pem.read(encrypted, "word").secret == SECRET
    for wrong in (None, "", "other"):
        with pytest.raises(KeyPasswordError) as raised:
            pem.read(encrypted, wrong)
        assert "other" not in str(raised.value)


def test_what_is_exported_is_what_dfx_writes(tmp_path: Path) -> None:
    exported = pem.write(pem.read(as_pem(SECP256K1)))
    assert exported == as_pem(SECP256K1, "TraditionalOpenSSL")
    assert exported.startswith(b"-----BEGIN EC PRIVATE KEY-----")
    assert b"ENCRYPTED PRIVATE KEY" in pem.write(pem.read(dfx_ed25519()), "word")


@pytest.mark.parametrize(
    "derivation",
    [
        "06092a864886f70d01050c300e0402abcd02047fffffff",
        "06092b06010401da47040b30110402abcd020301000002024000020101",
        "06092b06010401da47040b30110402abcd020240000201080202ffff",
        "06092b06010401da47040b30110402abcd020903ffffffffffffffff",
        "06092b06010401da47040b30110402abcd0202400002",
    ],
)
def test_a_password_that_would_take_hours_to_check_is_refused(derivation: str) -> None:
    text = base64.b64encode(bytes.fromhex(derivation))
    with pytest.raises(KeyImportError):
        pem.read(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"\n-----END ENCRYPTED PRIVATE KEY-----", "word")
    dear = openssl("pkcs8", "-topk8", "-outform", "DER", "-passout", "pass:word", given=as_pem(SECP256K1))
    assert dear.count(b"\x02\x02\x08\x00") == 1
    text = base64.b64encode(dear.replace(b"\x02\x02\x08\x00", b"\x02\x04\x7f\xff\xff\xff"))
    with pytest.raises(KeyImportError, match="hours"):
        pem.read(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + text + b"\n-----END ENCRYPTED PRIVATE KEY-----", "word")
