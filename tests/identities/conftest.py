"""A vault of a well-known phrase whose password is cheap to try, and what is kept in vaults."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from personal_ai.ic.principal import Principal
from personal_ai.identities.vault import (
    ScryptCost,
    Vault,
)

PHRASE = "abandon " * 11 + "about"
FIRST = Principal.from_text("tgzar-4lpln-fq34h-6hxo4-wlm3x-6g3or-6hxvr-d6jbw-ooh2b-lzsw4-aqe")
PASSWORD = "correct horse"
CHEAP = ScryptCost(n=1 << 4)
GOLDEN_1 = Path(__file__).parent / "golden" / "vault-v1.bin"
GOLDEN_2 = Path(__file__).parent / "golden" / "vault-v2.bin"
PEM = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x09" * 32).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "profile" / "vault"


@pytest.fixture
def vault(path: Path) -> Vault:
    return Vault.create(path, PHRASE, PASSWORD, cost=CHEAP)
