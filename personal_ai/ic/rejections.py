"""What the network says when it rejects a message, as typed errors."""

from __future__ import annotations

from personal_ai.common.errors import (
    CanisterStoppedError,
    NetworkError,
    OutOfCyclesError,
    RejectedError,
)

_MAX_MESSAGE_LENGTH = 600


class CanisterNotFoundError(RejectedError):
    """There is no such canister, or no program in it (IC0301, IC0537)."""


class CanisterTrappedError(RejectedError):
    """The canister's program failed, and the message changed nothing (IC0502, IC0503, IC0522)."""


class NotControllerError(RejectedError):
    """Only a controller of the canister may do this (IC0512)."""


class GatewayRefusedError(NetworkError):
    """A gateway or node refused a request by an HTTP `status`; below 500, this attempt was not carried out."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(
            f"The network refused the request (HTTP {status}): {printable(said)}",
            not_lost="This attempt changed nothing." if status < 500 else "",
            next_step=_advice(status, said),
        )
        self.status = status


_KINDS: dict[str, tuple[type[RejectedError], str, str]] = {
    "IC0207": (OutOfCyclesError, "The canister is out of cycles.", "Top it up."),
    "IC0501": (OutOfCyclesError, "The canister is out of cycles.", "Top it up."),
    "IC0508": (CanisterStoppedError, "The canister is stopped.", "Start it again."),
    "IC0509": (CanisterStoppedError, "The canister is stopping.", "Start it again."),
    "IC0301": (CanisterNotFoundError, "There is no such canister.", "Check its id."),
    "IC0537": (CanisterNotFoundError, "There is no program in the canister.", "Install it again."),
    "IC0502": (CanisterTrappedError, "The canister's program failed.", ""),
    "IC0503": (CanisterTrappedError, "The canister's program failed.", ""),
    "IC0522": (CanisterTrappedError, "The canister's program needed more instructions than a message may.", ""),
    "IC0512": (NotControllerError, "This identity does not control the canister.", "Use the identity that made it."),
}
_OTHER = (RejectedError, "The network rejected the message.", "")


def rejection(reject_code: int, reject_message: str, error_code: str | None) -> RejectedError:
    """The error for a reject: its kind follows `error_code`, never the message, which a canister may have written."""
    kind, what, next_step = _KINDS.get(error_code or "", _OTHER)
    return kind(
        f"{what} It said: {printable(reject_message)}",
        reject_code=reject_code,
        reject_message=reject_message,
        error_code=error_code,
        next_step=next_step,
    )


def _advice(status: int, said: str) -> str:
    if status == 429 or status >= 500:
        return "Try again later."
    return "Check the time and date of this computer, then try again." if "expiry" in said else ""


def printable(text: str) -> str:
    """Foreign text for a message of ours: one line, no control characters, not too long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= _MAX_MESSAGE_LENGTH else line[: _MAX_MESSAGE_LENGTH - 1] + "…"
