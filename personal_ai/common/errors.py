"""The one tree of errors.

    PersonalAIError
    ├── Cancelled                    the user stopped it: never shown as a failure
    └── UserFacingError              what happened, what was not lost, what to do next
        ├── BadInputError            foreign bytes or words that we refuse
        │   ├── FormatError          a file or message that breaks its format
        │   │   └── UnknownVersionError
        │   └── UnsupportedModelError
        ├── DamagedFileError         our own file no longer has the hash or the shape we gave it
        ├── StorageError             the disk said no (full, read-only, no permission)
        ├── IdentityError            vault, phrase, keyring (`personal_ai.identities`)
        ├── NetworkError             the network or the canister could not answer
        │   ├── NetworkUnreachableError
        │   ├── NetworkTimeoutError
        │   ├── RejectedError        the network answered no (code, message)
        │   │   ├── CanisterStoppedError
        │   │   └── OutOfCyclesError
        │   └── CanisterRefusedError the canister answered with one of its own typed errors
        └── SecurityError            a certificate, signature or hash that does not hold: never falls back

Rooms subclass these where an error carries data of their own. Whatever is raised outside this tree
is a bug and reaches the crash dialog.
"""

from __future__ import annotations


class PersonalAIError(Exception):
    """Root of everything that this program raises on purpose."""


class Cancelled(PersonalAIError):
    """A `Cancel` token was set; the work stopped at a safe place and can be resumed."""


class UserFacingError(PersonalAIError):
    """An error whose text may be shown to the user as it is.

    what: what happened. not_lost: what is still safe. next_step: what the user can do.
    """

    def __init__(self, what: str, *, not_lost: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.not_lost = not_lost
        self.next_step = next_step

    def __str__(self) -> str:
        return " ".join(part for part in (self.what, self.not_lost, self.next_step) if part)


class BadInputError(UserFacingError):
    """Foreign bytes or words that we refuse."""


class FormatError(BadInputError):
    """A file or a message breaks the format it claims to be in."""


class UnknownVersionError(FormatError):
    """A file or a message of a version that this program does not know."""


class UnsupportedModelError(BadInputError):
    """A model that the importer or the compiler cannot carry; `reasons` has a line for each obstacle."""

    def __init__(self, what: str, reasons: tuple[str, ...], *, next_step: str = "") -> None:
        super().__init__("\n".join((what, *reasons)), next_step=next_step)
        self.reasons = reasons


class DamagedFileError(UserFacingError):
    """A file of ours no longer has the hash or the shape that we gave it."""


class StorageError(UserFacingError):
    """The disk refused: full, read-only or no permission."""


class IdentityError(UserFacingError):
    """Something about the vault, a phrase or the keyring."""


class NetworkError(UserFacingError):
    """The network or the canister could not answer."""


class NetworkUnreachableError(NetworkError):
    """No gateway could be reached."""


class NetworkTimeoutError(NetworkError):
    """No answer in time; the call may or may not have been carried out."""


class RejectedError(NetworkError):
    """The network rejected a message: `reject_code` 1-6 of the interface specification, `error_code` like IC0503."""

    def __init__(
        self, what: str, *, reject_code: int, reject_message: str, error_code: str | None = None, next_step: str = ""
    ) -> None:
        super().__init__(what, next_step=next_step)
        self.reject_code = reject_code
        self.reject_message = reject_message
        self.error_code = error_code


class CanisterStoppedError(RejectedError):
    """The canister is stopped or stopping (IC0508, IC0509)."""


class OutOfCyclesError(RejectedError):
    """The canister or the account has too few cycles (IC0207, IC0501)."""


class CanisterRefusedError(NetworkError):
    """The canister answered with a typed error of its own interface; `variant` is the error's name."""

    def __init__(self, what: str, *, variant: str, next_step: str = "") -> None:
        super().__init__(what, next_step=next_step)
        self.variant = variant


class SecurityError(UserFacingError):
    """A certificate, a signature or a hash does not hold. Nothing falls back from this silently."""
