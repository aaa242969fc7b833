"""The way to a hub: GET only, patient with busy and broken connections, and careful with where it is sent on to.

The access token goes to the hub's own address and nowhere else. No cookie is kept and nothing is told about this
computer or program but the words "personal-ai".
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from typing import Final, NoReturn, Self, TypeVar

import httpx

from personal_ai.common.errors import BadInputError, NetworkTimeoutError, NetworkUnreachableError, SecurityError
from personal_ai.common.jobs import Cancel
from personal_ai.ic.profile import is_loopback
from personal_ai.models.hub.errors import (
    HubAccessError,
    HubBusyError,
    HubError,
    HubNotFoundError,
    TruncatedDownloadError,
    WrongContentError,
)

PUBLIC_ENDPOINT = "https://huggingface.co"
Token = Callable[[], str | None]

_HEADERS: Final = {"user-agent": "personal-ai", "accept": "*/*", "accept-encoding": "identity"}
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_BUSY = (408, 429)
_TRANSIENT = (HubBusyError, TruncatedDownloadError, NetworkTimeoutError, NetworkUnreachableError)
_TOKEN = re.compile(r"[!-~]{1,1000}")
_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(\d{1,15}|\*)")
_CERTIFICATE_REFUSED = "CERTIFICATE_VERIFY_FAILED"  # as OpenSSL calls it; httpx hands on no more than the text
_NOT_LOST = "What was fetched is kept."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, and how often to try again without getting any further."""

    connect_timeout_s: float = 10.0
    stall_timeout_s: float = 20.0  # also the longest that a cancel can take
    slow_bytes_per_s: float = 1000.0  # a connection below this over the window counts as stalled
    slow_window_s: float = 60.0
    tries: int = 5
    progress_bytes: int = 256 << 10  # a try that brought as much counts as none: the connection works now and then
    first_delay_s: float = 1.0  # doubled at each try
    longest_delay_s: float = 300.0  # of what a hub may ask for

    def delay_s(self, failures: int) -> float:
        return min(self.first_delay_s * 2.0 ** (failures - 1), self.longest_delay_s)


class Hub:
    """One hub through one persistent client."""

    def __init__(
        self,
        endpoint: str = PUBLIC_ENDPOINT,
        *,
        proxy: str | None = None,
        token: Token | None = None,
        patience: Patience | None = None,
    ) -> None:
        """endpoint: `https://host[/path]`, or http on this computer. token: asked for the access token at each request.

        proxy: like socks5://127.0.0.1:9050, never used for a hub on this computer; the system's where none is given.
        Raises BadInputError.
        """
        self._endpoint = checked_endpoint(endpoint)
        self._token = token
        self._answered = False
        self.patience = patience or Patience()
        local = is_loopback(str(self._endpoint))
        timeout = httpx.Timeout(self.patience.stall_timeout_s, connect=self.patience.connect_timeout_s)
        try:
            self._client = httpx.Client(
                proxy=None if local else proxy,
                trust_env=not local and proxy is None,
                headers=_HEADERS,
                timeout=timeout,
            )
        except (ValueError, httpx.InvalidURL):  # their texts show the proxy's password
            raise BadInputError(
                "The proxy's address cannot be used.", next_step="Use one like socks5://127.0.0.1:9050."
            ) from None
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    @property
    def host(self) -> str:
        """What to call it."""
        return self._endpoint.host

    def close(self) -> None:
        """Closes all connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def patiently(self, action: Callable[[], T], cancel: Cancel, done: Callable[[], int] = lambda: 0) -> T:
        """Runs `action` until it succeeds; waits between tries as the hub says, or longer each time.

        done: how many bytes the action has. A hub that never answered is not waited for.
        Raises what the action raised last, Cancelled.
        """
        failures, reached = 0, done()
        while True:
            try:
                return action()
            except _TRANSIENT as error:
                failures = 1 if done() - reached >= self.patience.progress_bytes else failures + 1
                reached = done()
                offline = isinstance(error, NetworkUnreachableError) and not self._answered
                if offline or failures > self.patience.tries:
                    raise
                cancel.wait(self._delay_s(error, failures))

    def _delay_s(self, error: Exception, failures: int) -> float:
        asked_s = error.retry_after_s if isinstance(error, HubBusyError) else None
        if asked_s is not None and asked_s > self.patience.longest_delay_s:
            raise error
        return self.patience.delay_s(failures) if asked_s is None else asked_s

    @contextmanager
    def get(self, path: str, *, start: int = 0) -> Iterator[Answer]:
        """One try at a resource of the hub, from byte `start` on. `path` begins with a slash and is URL-quoted.

        Raises HubNotFoundError, HubAccessError, HubBusyError, HubError, WrongContentError (there is no such byte),
        SecurityError (sent on to where nobody should go), NetworkUnreachableError, NetworkTimeoutError.
        """
        response = self._followed(httpx.URL(f"{self._endpoint}{path}"), {"range": f"bytes={start}-"} if start else {})
        try:
            self._answered = True
            if response.status_code not in (200, 206):
                self._refuse(response)
            yield Answer(self, response)
        finally:
            response.close()

    @contextmanager
    def network_errors(self) -> Iterator[None]:
        """Turns httpx's errors into ours."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            if _CERTIFICATE_REFUSED in str(error):
                raise SecurityError(
                    f"The certificate of {self.host} does not hold: something between may pretend to be it.",
                    not_lost=_NOT_LOST,
                    next_step="Try from another network.",
                ) from error
            raise NetworkUnreachableError(
                f"{self.host} cannot be reached.",
                not_lost=_NOT_LOST,
                next_step="Check the connection of this computer.",
            ) from error
        except httpx.TimeoutException as error:
            raise self.too_slow() from error
        except httpx.TransportError as error:
            raise TruncatedDownloadError(
                f"The connection to {self.host} broke.", not_lost=_NOT_LOST, next_step="Try again to go on."
            ) from error

    def too_slow(self) -> NetworkTimeoutError:
        return NetworkTimeoutError(
            f"{self.host} sends nothing, or next to nothing.", not_lost=_NOT_LOST, next_step="Try again to go on."
        )

    def local_path(self, url: str) -> str:
        """The path of one of the hub's own URLs, for `get`. Raises SecurityError for another's."""
        prefix = str(self._endpoint)
        if not url.startswith(f"{prefix}/"):
            raise SecurityError(f"{self.host} names another computer for the rest of its answer.")
        return url.removeprefix(prefix)

    def _followed(self, url: httpx.URL, headers: dict[str, str]) -> httpx.Response:
        for _ in range(_MAX_REDIRECTS + 1):
            with self.network_errors():
                request = self._client.build_request("GET", url, headers=headers | self._authorization(url))
                response = self._client.send(request, stream=True)
            if response.status_code not in _REDIRECTS:
                return response
            response.close()
            onward = next_address(url, response.headers.get("location", ""))
            if onward is None:
                raise SecurityError(
                    f"{self.host} sends us on to an address that is not safe; nothing was fetched there."
                )
            url = onward
        raise HubError(f"{self.host} sends us in circles.")

    def _authorization(self, url: httpx.URL) -> dict[str, str]:
        token = self._token() if self._token is not None and _origin(url) == _origin(self._endpoint) else None
        if token is None:
            return {}
        if not _TOKEN.fullmatch(token):  # as a header it would show up in an error's text
            raise BadInputError("The access token holds characters that no token has.", next_step="Copy it again.")
        return {"authorization": f"Bearer {token}"}

    def _refuse(self, response: httpx.Response) -> NoReturn:
        """Raises the error that a status stands for."""
        status, code = response.status_code, response.headers.get("x-error-code", "")
        if status == 416:
            raise WrongContentError("The file on the hub is shorter than its list of files says.")
        if status in _BUSY or status >= 500:
            retry_after_s = _retry_after_s(response.headers.get("retry-after", ""))
            later = "later" if retry_after_s is None else f"in {retry_after_s:.0f} seconds"
            raise HubBusyError(
                f"{self.host} is too busy (status {status}).",
                retry_after_s=retry_after_s,
                not_lost=_NOT_LOST,
                next_step=f"Try again {later}.",
            )
        if _origin(response.url) != _origin(self._endpoint):  # a signed address that ran out; the hub makes a new one
            raise HubBusyError(f"The storage behind {self.host} refused (status {status}).", next_step="Try again.")
        if status == 404:
            missing = {"RevisionNotFound": "revision", "EntryNotFound": "file"}.get(code, "model")
            raise HubNotFoundError(f"{self.host} has no such {missing}.", next_step="Check the id and the revision.")
        if status in (401, 403):
            self._refuse_access(code)
        raise HubError(f"{self.host} answered with status {status}, which was not expected.")

    def _refuse_access(self, code: str) -> NoReturn:
        if code == "GatedRepo":
            raise HubAccessError(
                "The model is gated: its makers want you to accept their terms first.",
                next_step=f"Accept them on its page at {self.host}, then give an access token that may read it.",
            )
        if self._token is None or self._token() is None:
            raise HubAccessError(
                f"{self.host} wants an access token for this: the model is private, or there is none of this name.",
                next_step="Check the id, or give an access token that may read it.",
            )
        raise HubAccessError(
            f"{self.host} does not accept the access token for this model.",
            next_step="Make a token with the right to read it, and check the id.",
        )


class Answer:
    """A response that is being received."""

    def __init__(self, hub: Hub, response: httpx.Response) -> None:
        self._hub = hub
        self._response = response

    @property
    def next_path(self) -> str | None:
        """Where a list goes on. Raises SecurityError."""
        url = self._response.links.get("next", {}).get("url")
        return None if url is None else self._hub.local_path(url)

    def start(self, size_bytes: int) -> int:
        """Which byte of a file of `size_bytes` comes first. Raises WrongContentError for another size."""
        if self._response.status_code == 200:
            start, total = 0, self._response.headers.get("content-length", "*")
        else:
            found = _CONTENT_RANGE.fullmatch(self._response.headers.get("content-range", ""))
            start, total = (int(found[1]), found[2]) if found else (0, "?")
        if total not in ("*", str(size_bytes)):
            raise WrongContentError("The file on the hub has another size than its list of files says.")
        return start

    def pieces(self, cancel: Cancel) -> Iterator[bytes]:
        """The body as it comes. Raises TruncatedDownloadError, NetworkTimeoutError, Cancelled."""
        patience = self._hub.patience
        since_s, size_bytes = time.monotonic(), 0
        with self._hub.network_errors():
            for piece in self._response.iter_raw():
                cancel.raise_if_cancelled()
                yield piece
                size_bytes += len(piece)
                passed_s = time.monotonic() - since_s
                if passed_s >= patience.slow_window_s:
                    if size_bytes < patience.slow_bytes_per_s * passed_s:
                        raise self._hub.too_slow()
                    since_s, size_bytes = time.monotonic(), 0

    def read(self, max_size_bytes: int, cancel: Cancel) -> bytes:
        """The whole body. Raises HubError when it is too long, and what `pieces` raises."""
        content = bytearray()
        for piece in self.pieces(cancel):
            content += piece
            if len(content) > max_size_bytes:
                raise HubError(f"{self._hub.host} sent an answer that is too long.")
        return bytes(content)


def next_address(here: httpx.URL, location: str) -> httpx.URL | None:
    """Where a redirect from `here` leads; None where nobody should go: without encryption but from this computer to
    itself, with a user's name in it, or what is no address.
    """
    try:
        url = here.join(location)
        on_this_computer = url.scheme == "http" and is_loopback(str(url)) and is_loopback(str(here))
        allowed = bool(url.host) and not url.userinfo and (url.scheme == "https" or on_this_computer)
    except (httpx.InvalidURL, ValueError):
        return None
    return url if allowed else None


def checked_endpoint(text: str) -> httpx.URL:
    """The address of a hub: `https://host[/path]`, or http on this computer. Raises BadInputError."""
    try:
        url = httpx.URL(text.rstrip("/"))
        plain = bool(url.host) and not (url.userinfo or url.query or url.fragment)
        on_this_computer = is_loopback(str(url))
    except (httpx.InvalidURL, ValueError):
        plain = False
    if not plain or url.scheme not in ("http", "https"):
        raise BadInputError("The hub's address cannot be used.", next_step=f"Use one like {PUBLIC_ENDPOINT}.")
    if url.scheme == "http" and not on_this_computer:
        raise BadInputError(f"The address of {url.host} is without encryption.", next_step="Use its https address.")
    return url


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _retry_after_s(text: str) -> float | None:
    """The header's seconds or date (RFC 9110, 10.2.3)."""
    if re.fullmatch(r"\d{1,9}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
