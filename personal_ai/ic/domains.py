"""Domain separators of the Internet Computer: a length byte, then the name, put before what is hashed or signed.

Source: the interface specification, "Request ids", "Certification" and "Authentication".
"""

from __future__ import annotations


def domain(name: str) -> bytes:
    """The separator for `name` (ASCII, up to 255 characters)."""
    encoded = name.encode("ascii")
    return bytes((len(encoded),)) + encoded


REQUEST = domain("ic-request")
DELEGATION = domain("ic-request-auth-delegation")
RESPONSE = domain("ic-response")
STATE_ROOT = domain("ic-state-root")
ACCOUNT_ID = domain("account-id")
