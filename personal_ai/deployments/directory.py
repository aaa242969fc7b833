"""The public directory of the Internet Computer: which canisters somebody controls, as the dashboard's service says.

What it says proves nothing: whoever asks has the network's certificate prove each answer. It learns which principal was
asked about, as a gateway does, and is asked only where nobody else can tell. Source: the service's own API description.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx

from personal_ai.common.errors import FormatError
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import is_loopback

IC_DIRECTORY = "https://ic-api.internetcomputer.org/api/v3/canisters"
_MOST = 100  # canisters of one identity that are looked at
_MOST_BYTES = 1 << 20
_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class PublicDirectory:
    """One service. proxy: the way that the identity takes which is asked about, so that it is seen from there alone."""

    url: str = IC_DIRECTORY
    proxy: str | None = None

    def __call__(self, controller: Principal) -> list[Principal]:
        """The canisters that the service names; none where it does not answer, or not as it should."""
        try:
            return _named(self._ask(controller))
        except (httpx.HTTPError, httpx.InvalidURL, FormatError, ValueError, TypeError, KeyError, RecursionError):
            return []

    def _ask(self, controller: Principal) -> bytes:
        asked = {"controller_id": str(controller), "limit": str(_MOST)}
        trusting = self.proxy is None and not is_loopback(self.url)  # the system's own proxy
        client = httpx.Client(proxy=self.proxy, trust_env=trusting, timeout=_TIMEOUT_S)
        with client, client.stream("GET", self.url, params=asked) as answer:
            answer.raise_for_status()
            content = b""
            for piece in answer.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise FormatError("The directory's answer is too long.")
            return content


def _named(content: bytes) -> list[Principal]:
    answer: Any = json.loads(content)
    return [Principal.from_text(str(one["canister_id"])) for one in answer["data"][:_MOST]]
