"""What can go wrong with phrases, keys, vaults and keyrings."""

from __future__ import annotations

from personal_ai.common.errors import IdentityError


class PhraseError(IdentityError):
    """A recovery phrase that is not one."""


class KeyImportError(IdentityError):
    """A key file that cannot be taken in."""


class KeyPasswordError(KeyImportError):
    """A key file that opens with a password: none was given, or a wrong one."""


class WrongPasswordError(IdentityError):
    """The vault does not open with this password."""


class VaultDamagedError(IdentityError):
    """The vault's file is not what this program wrote."""


class VaultLockedError(IdentityError):
    """The vault must be opened first."""


class VaultExistsError(IdentityError):
    """There is a vault already, and it is never written over."""


class KeyringUnavailableError(IdentityError):
    """The operating system has no keyring that keeps secrets, or it does not answer."""
