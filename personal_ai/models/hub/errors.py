"""What can go wrong between a hub and this computer. Being offline and time-outs are `common.errors`' own."""

from __future__ import annotations

from personal_ai.common.errors import BadInputError, NetworkError, SecurityError, StorageError


class HubError(NetworkError):
    """The hub answered in a way that cannot be used."""


class HubBusyError(HubError):
    """The hub has no time now (429, 5xx). `retry_after_s`: when it wants to be asked again, if it said so."""

    def __init__(
        self, what: str, *, retry_after_s: float | None = None, not_lost: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what, not_lost=not_lost, next_step=next_step)
        self.retry_after_s = retry_after_s


class TruncatedDownloadError(HubError):
    """A file ended before its announced size."""


class HubNotFoundError(BadInputError):
    """The hub has no such model, revision or file."""


class HubAccessError(BadInputError):
    """The model is private or gated and the hub does not let us in."""


class WrongContentError(SecurityError):
    """What was sent is not what the hub's list of files promised."""


class NotEnoughSpaceError(StorageError):
    """The files would not fit on the disk."""


class DownloadInUseError(StorageError):
    """Another process fetches the same model."""
