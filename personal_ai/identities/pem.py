"""Private keys as PEM files, as dfx, quill, icp-cli and openssl write and read them.

Sources: RFC 5915 (secp256k1, "EC PRIVATE KEY"), RFC 5208 and 5958 (PKCS#8 versions 1 and 2), RFC 8018 (PBES2).
"""

from __future__ import annotations

import base64
import re
import secrets

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from personal_ai.common.errors import FormatError
from personal_ai.ic.identity import SECRET_SIZE_BYTES, Ed25519Identity
from personal_ai.identities.errors import KeyImportError, KeyPasswordError
from personal_ai.identities.keys import SecretKey

PBKDF2_ITERATIONS = 600_000  # not scrypt: openssl refuses to read more than 32 MiB of it

_MAX_SIZE_BYTES = 16 << 10
_MAX_PBKDF2_ITERATIONS = 20_000_000
_MAX_SCRYPT_MEMORY_BYTES = 1 << 30
_MAX_SCRYPT_LANES = 16
_PRIVATE_KEY = re.compile(rb"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.+?-----END \1-----", re.DOTALL)
# dfx writes Ed25519 keys as PKCS#8 version 2, with the public key behind the secret one; many readers refuse that.
_ED25519_V2_PREFIX = bytes.fromhex("3053020101300506032b657004220420")

_OID_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_OID_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_OID_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_OID_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_OID_AES256_CBC = bytes.fromhex("060960864801650304012a")
_NULL = b"\x05\x00"
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_SHORT = rb"[\x00-\x7f]"
# The parameters of a key derivation: a sequence of the salt and of integers of up to four bytes.
_SALT = rb"\x30" + _SHORT + rb"\x04(" + _SHORT + rb")"
_NUMBER = re.compile(rb"\x02([\x01-\x05])", re.DOTALL)
_PBKDF2_PARAMETERS = re.compile(re.escape(_OID_PBKDF2) + _SALT, re.DOTALL)
_SCRYPT_PARAMETERS = re.compile(re.escape(_OID_SCRYPT) + _SALT, re.DOTALL)


def read(content: bytes, password: str | None = None) -> SecretKey:
    """The secp256k1 or Ed25519 key in a PEM file.

    Raises KeyPasswordError where the file needs a (or another) password, KeyImportError.
    """
    block = _PRIVATE_KEY.search(content) if len(content) <= _MAX_SIZE_BYTES else None
    if block is None:
        raise KeyImportError("There is no private key in this file.", next_step="Choose a PEM file.")
    pem = block.group()
    encrypted = b"ENCRYPTED" in pem
    if encrypted and not password:
        raise KeyPasswordError("The key in this file is encrypted.", next_step="Give the file's password.")
    try:
        if not encrypted and (key := _ed25519_version_2(_body(pem))):
            return key
        if encrypted and not _is_bearable(_body(pem)):
            raise KeyImportError("This file's password would take this computer hours to check.")
        return _from_loaded(
            serialization.load_pem_private_key(pem, password.encode() if encrypted and password else None)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InternalError, FormatError):  # never with the key's text in it
        pass
    if encrypted:
        raise KeyPasswordError(
            "The key in this file does not open: the password is wrong, or the file is damaged.",
            next_step="Type the file's password again.",
        )
    raise KeyImportError("The private key in this file cannot be read.")


def write(key: SecretKey, password: str | None = None) -> bytes:
    """The PEM file of a key that dfx, quill, icp-cli and openssl read.

    secp256k1 without a password is SEC1, everything else PKCS#8 version 1; a password encrypts it with AES-256.
    """
    loaded = _loaded(key)
    if password:
        der = loaded.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return _pem("ENCRYPTED PRIVATE KEY", _encrypted(der, password))
    form = serialization.PrivateFormat
    return loaded.private_bytes(
        serialization.Encoding.PEM,
        form.TraditionalOpenSSL if key.algorithm == "secp256k1" else form.PKCS8,
        serialization.NoEncryption(),
    )


def _loaded(key: SecretKey) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    if key.algorithm == "secp256k1":
        return ec.derive_private_key(int.from_bytes(key.secret, "big"), ec.SECP256K1())
    return ed25519.Ed25519PrivateKey.from_private_bytes(key.secret)


def _from_loaded(key: object) -> SecretKey:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return SecretKey("ed25519", key.private_bytes_raw())
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256K1):
        number = key.private_numbers().private_value
        return SecretKey("secp256k1", number.to_bytes(SECRET_SIZE_BYTES, "big"))
    raise KeyImportError("This kind of key is not known here.", next_step="Choose a secp256k1 or an Ed25519 key.")


def _ed25519_version_2(body: bytes) -> SecretKey | None:
    """The key of a PKCS#8 version 2 file as dfx writes it; ValueError where its public key is another one's."""
    if not body.startswith(_ED25519_V2_PREFIX):
        return None
    start = len(_ED25519_V2_PREFIX)
    secret = body[start : start + SECRET_SIZE_BYTES]
    if Ed25519Identity(secret).public_key_der[-SECRET_SIZE_BYTES:] != body[-SECRET_SIZE_BYTES:]:
        raise ValueError("the public key is another one's")
    return SecretKey("ed25519", secret)


def _body(pem: bytes) -> bytes:
    """The decoded block, without the header lines that old files have (they hold a colon)."""
    return base64.b64decode(
        b"".join(line for line in pem.splitlines() if not line.startswith(b"-") and b":" not in line)
    )


def _is_bearable(der: bytes) -> bool:
    """A file from elsewhere must not make this computer derive a key for hours. Other ways than these two are cheap."""
    if found := _PBKDF2_PARAMETERS.search(der):
        return all(n <= _MAX_PBKDF2_ITERATIONS for n in _numbers(der, found, 1))
    if found := _SCRYPT_PARAMETERS.search(der):
        n, r, p = _numbers(der, found, 3)
        return 128 * n * r <= _MAX_SCRYPT_MEMORY_BYTES and p <= _MAX_SCRYPT_LANES
    return True


def _numbers(der: bytes, after: re.Match[bytes], count: int) -> list[int]:
    """The integers behind the salt. Raises ValueError where there are none."""
    place = after.end() + after.group(1)[0]
    found = []
    for _ in range(count):
        head = _NUMBER.match(der, place)
        if head is None:
            raise ValueError("a number is missing or too long")
        place = head.end() + head.group(1)[0]
        found.append(int.from_bytes(der[head.end() : place], "big"))
    return found


def _encrypted(der: bytes, password: str) -> bytes:
    """PBES2 by PBKDF2-HMAC-SHA256 and AES-256-CBC, which every reader knows (RFC 8018, appendix A).

    Written here because `cryptography` allows 2,048 rounds only.
    """
    salt, iv = secrets.token_bytes(16), secrets.token_bytes(16)
    derivation = PBKDF2HMAC(hashes.SHA256(), length=32, salt=salt, iterations=PBKDF2_ITERATIONS)
    encryptor = Cipher(algorithms.AES256(derivation.derive(password.encode())), modes.CBC(iv)).encryptor()
    padder = PKCS7(128).padder()
    sealed = encryptor.update(padder.update(der) + padder.finalize()) + encryptor.finalize()
    iterations = _der(_INTEGER, PBKDF2_ITERATIONS.to_bytes(3, "big"))
    function = _der(_SEQUENCE, _OID_HMAC_SHA256, _NULL)
    key_derivation = _der(_SEQUENCE, _OID_PBKDF2, _der(_SEQUENCE, _der(_OCTETS, salt), iterations, function))
    cipher = _der(_SEQUENCE, _OID_AES256_CBC, _der(_OCTETS, iv))
    scheme = _der(_SEQUENCE, _OID_PBES2, _der(_SEQUENCE, key_derivation, cipher))
    return _der(_SEQUENCE, scheme, _der(_OCTETS, sealed))


def _der(tag: int, *parts: bytes) -> bytes:
    """A DER element; contents here stay below 64 KiB."""
    body = b"".join(parts)
    if len(body) < 0x80:
        return bytes((tag, len(body))) + body
    length = len(body).to_bytes(1 if len(body) < 0x100 else 2, "big")
    return bytes((tag, 0x80 | len(length))) + length + body


def _pem(name: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join((f"-----BEGIN {name}-----", *lines, f"-----END {name}-----", "")).encode()
