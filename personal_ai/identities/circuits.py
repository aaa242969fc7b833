"""One way into the network for each identity: through a SOCKS proxy, as a user that no other identity is.

Tor gives streams of different SOCKS users different circuits (IsolateSOCKSAuth, on by default), so that whoever runs
an exit or a gateway cannot tell that two identities are on one computer. Other proxies may ignore the user's name.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import urlsplit

from personal_ai.common.errors import BadInputError
from personal_ai.ic.principal import Principal

PURPOSE = "proxy circuits"  # of the vault's key that names are made with
_USER_LENGTH = 16
_SCHEMES = ("socks5", "socks5h")


def checked_proxy(url: str) -> str:
    """The proxy as scheme, host and port; names are always looked up beyond it. Raises BadInputError."""
    try:
        parts = urlsplit(url.strip())
        good = parts.scheme in _SCHEMES and parts.hostname and parts.port and not parts.username
        rest = parts.path.strip("/") + parts.query + parts.fragment
    except ValueError:
        good, rest = False, ""
    if not good or rest:
        raise BadInputError(
            "A proxy is given like socks5h://127.0.0.1:9050, without a user's name.",
            next_step="Tor listens on port 9050, the Tor Browser on port 9150.",
        )
    return f"socks5h://{parts.hostname if ':' not in str(parts.hostname) else f'[{parts.hostname}]'}:{parts.port}"


def circuit(proxy: str, principal: Principal, key: bytes) -> str:
    """The proxy's URL for one identity. Its user's name says nothing without `key`, and is always the same with it.

    key: the vault's database key for PURPOSE. Raises BadInputError.
    """
    scheme, _, address = checked_proxy(proxy).partition("://")
    user = hmac.digest(key, principal.bytes, hashlib.sha256).hex()[:_USER_LENGTH]
    return f"{scheme}://{user}:{user}@{address}"
