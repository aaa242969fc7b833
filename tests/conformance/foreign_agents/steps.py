"""One Python agent on the practice network. The argument says which: ic-py or icp-py-core.

Reads what steps.mjs reads and prints {step: "" or what went wrong}. Runs in the agent's own environment and imports
nothing of this program. Neither agent checks certificates against another root key than mainnet's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

if sys.argv[1] == "ic-py":
    from ic.agent import Agent
    from ic.candid import Types, encode
    from ic.client import Client
    from ic.identity import Identity
    from ic.principal import Principal

    UNCHECKED: dict[str, Any] = {}
else:
    from icp_core import Agent, Client, Identity, Principal, Types, encode

    UNCHECKED = {"verify_certificate": False}

GIVEN = json.load(sys.stdin)
CANISTER = GIVEN["canisterId"]
ACCOUNT = Types.Record({"owner": Types.Principal, "subaccount": Types.Opt(Types.Vec(Types.Nat8))})


def connect(identity: Any) -> Any:
    """No two equal updates within a second: ic-py sends no nonce."""
    return Agent(identity, Client(GIVEN["url"]))


def text(value: str) -> bytes:
    encoded: bytes = encode([{"type": Types.Text, "value": value}])
    return encoded


def value_of(answer: Any) -> Any:
    """The one value of a decoded answer."""
    return answer[0]["value"] if isinstance(answer, list) else answer


def expect(holds: bool, what: object) -> None:
    if not holds:
        raise AssertionError(str(what))


def update() -> None:
    answer = value_of(connect(Identity()).update_raw(CANISTER, "echo", text("grüezi"), **UNCHECKED))
    expect(answer == "grüezi", answer)


def query() -> None:
    answer = value_of(connect(Identity()).query_raw(CANISTER, "echo_query", text("grüezi")))
    expect(answer == "grüezi", answer)


def anonymous() -> None:
    answer = value_of(connect(Identity(anonymous=True)).update_raw(CANISTER, "echo", text("nobody"), **UNCHECKED))
    expect(answer == "nobody", answer)


def key(kind: str) -> Callable[[], None]:
    def step() -> None:
        answer = value_of(connect(Identity(type=kind)).update_raw(CANISTER, "echo", text(kind), **UNCHECKED))
        expect(answer == kind, answer)

    return step


def refused(method: str, said: str) -> Callable[[], None]:
    def step() -> None:
        try:
            answer = connect(Identity()).update_raw(CANISTER, method, text(os.urandom(4).hex()), **UNCHECKED)
        except Exception as error:
            expect(said in str(error), f"refused otherwise: {error}")
        else:
            raise AssertionError(f"nothing was refused: {answer}")

    return step


def balance(ledger: str, expected: int) -> Callable[[], None]:
    def step() -> None:
        owner = Principal.from_str(GIVEN["account"])
        arg = encode([{"type": ACCOUNT, "value": {"owner": owner.bytes, "subaccount": []}}])
        answer = value_of(connect(Identity()).query_raw(GIVEN[ledger], "icrc1_balance_of", arg, Types.Nat))
        expect(answer == expected, answer)

    return step


STEPS: dict[str, Callable[[], None]] = {
    "update": update,
    "query": query,
    "anonymous": anonymous,
    "Ed25519 key": key("ed25519"),
    "secp256k1 key": key("secp256k1"),
    "rejection": refused("refuse", "no"),
    "trap": refused("trap_after_write", "after writing"),
    "cycles ledger": balance("ledgerId", 10**12),
    "ICP ledger": balance("icpLedgerId", 500_000_000),
}


def main() -> None:
    seen: dict[str, str] = {}
    for name, step in STEPS.items():
        try:
            step()
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {error}"
        else:
            seen[name] = ""
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
