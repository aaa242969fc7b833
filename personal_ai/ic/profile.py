"""Networks are data: where a network is reached, which key it is checked against, what it charges and allows.

`IC` is built in and nothing can take its name, its kind or its key. The files' format: docs/formats/network-profile.md.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from personal_ai.common.errors import FormatError, SecurityError, UnknownVersionError
from personal_ai.common.files import storage_errors
from personal_ai.ic import bls
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal

FORMAT_VERSION = 1
IC_ROOT_KEY_DER = bls.public_key_to_der(
    bytes.fromhex(
        "814c0e6ec71fab583b08bd81373c255c3c371b2e84863c98a4f1e08b74235d14fb5d9c0cd546d9685f913a0c0b2cc534"
        "1583bf4b4392e467db96d65b9bb4cb717112f8472e0d5a4d14505ffd7484b01291091c5f87b98883463f98091a0baaae"
    )
)

Kind = Literal["ic", "practice", "local", "custom"]
_FILE_KINDS = ("local", "custom")
BUILT_IN_NAMES = ("ic", "practice")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_MAX_FILE_SIZE_BYTES = 64 << 10
_MAX_NESTED = 50  # a profile has fewer than ten objects and lists
_MAX_GATEWAYS = 8
_MIB, _GIB = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class CostTable:
    """Prices in cycles on a subnet of 13 nodes; a subnet of `nodes` nodes charges `nodes`/13 of them."""

    creation: int = 500_000_000_000
    update_base: int = 5_000_000
    per_instruction: int = 1
    ingress_base: int = 1_200_000
    ingress_per_byte: int = 2_000
    storage_per_gib_second: int = 317_500  # the code of mid-2026; the documentation still says 127,000
    canister_per_second: int = 10_000
    compute_percent_per_second: int = 10_000_000
    call_base: int = 260_000  # of a call between canisters
    call_per_byte: int = 1_000  # of its argument, its method's name and its response
    nodes: int = 13

    def update_call(self, argument_bytes: int, instructions: int) -> int:
        """A call from outside: its bytes with what surrounds the argument, its base price, its instructions."""
        ingress = self.ingress_base + self.ingress_per_byte * (argument_bytes + _MESSAGE_SIZE_BYTES)
        return self.on_subnet(ingress + self.update_base + self.per_instruction * instructions)

    def on_subnet(self, cycles: int) -> int:
        """What a price of this table comes to on the subnet of `nodes` nodes."""
        return -(-cycles * self.nodes // _REFERENCE_NODES)


_REFERENCE_NODES = 13
_MESSAGE_SIZE_BYTES = 450  # what surrounds an argument: envelope, signature, Candid


@dataclass(frozen=True, slots=True)
class Limits:
    """What one message, one canister and one request may use. Page touches are charged as instructions."""

    update_instructions: int = 40_000_000_000
    query_instructions: int = 5_000_000_000
    install_instructions: int = 300_000_000_000
    inspect_instructions: int = 200_000_000
    page_read_instructions: int = 80_000  # the first access to a 64 KiB page in a message
    page_write_instructions: int = 80_000  # its first write, on top
    ingress_bytes: int = 2 * _MIB
    response_bytes: int = 2 * _MIB
    query_response_bytes: int = 3 * _MIB
    heap_bytes: int = 4 * _GIB
    stable_bytes: int = 500 * _GIB
    stable_bytes_per_update: int = 2 * _GIB
    stable_bytes_per_upgrade: int = 8 * _GIB
    stable_bytes_per_query: int = 1 * _GIB
    wasm_bytes: int = 100 * _MIB
    chunk_bytes: int = 1 * _MIB
    chunks: int = 100
    freezing_threshold_s: int = 2_592_000


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast a network goes. These are assumptions: nobody promises them, and they are never used to pay."""

    slice_instructions: int = 2_000_000_000
    round_s: float = 1.0
    ingress_latency_s: float = 1.5


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The canisters that hold money."""

    icp: Principal = ICP_LEDGER_ID
    cycles_minting: Principal = CYCLES_MINTING_CANISTER_ID
    cycles: Principal = CYCLES_LEDGER_ID


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """One network. No profile can exist that would trust a key fetched from another computer."""

    name: str
    kind: Kind
    gateways: tuple[str, ...]
    root_key_der: bytes | None
    costs: CostTable = CostTable()
    limits: Limits = Limits()
    ledgers: Ledgers = Ledgers()
    pacing: Pacing = Pacing()

    def __post_init__(self) -> None:
        """Raises FormatError, or SecurityError where the rules about keys are broken."""
        if not _NAME.fullmatch(self.name):
            raise FormatError("A network's name has up to 32 small letters, digits and hyphens.")
        if not 0 < len(self.gateways) <= _MAX_GATEWAYS:
            raise FormatError(f"A network has 1 to {_MAX_GATEWAYS} gateways.")
        for gateway in self.gateways:
            _check_gateway(gateway)
        if self.root_key_der is not None:
            bls.public_key_from_der(self.root_key_der)
        elif not self.is_loopback:
            raise SecurityError(
                f"The network {self.name} is on another computer and names no root key.",
                next_step="Put its root key into its profile: answers cannot be checked without.",
            )
        if (self.kind == "ic" or self.name == "ic") and self.root_key_der != IC_ROOT_KEY_DER:
            raise SecurityError("Another key claims to be the Internet Computer's.", next_step="Do not use it.")

    @property
    def title(self) -> str:
        """What to call the network at the beginning of a sentence."""
        return {"ic": "The Internet Computer", "practice": "The practice network"}.get(
            self.kind, f"The network {self.name}"
        )

    @property
    def is_loopback(self) -> bool:
        """Whether every gateway is on this computer: only then may the root key be asked for."""
        return all(is_loopback(gateway) for gateway in self.gateways)

    def to_json(self) -> str:
        """The profile as a file, human-readable."""
        return json.dumps(
            {
                "version": FORMAT_VERSION,
                "name": self.name,
                "kind": self.kind,
                "gateways": list(self.gateways),
                "root_key": None if self.root_key_der is None else self.root_key_der.hex(),
                "costs": asdict(self.costs),
                "limits": asdict(self.limits),
                "ledgers": {one.name: str(getattr(self.ledgers, one.name)) for one in fields(self.ledgers)},
                "pacing": asdict(self.pacing),
            },
            indent=2,
        )

    @classmethod
    def from_json(cls, text: str) -> NetworkProfile:
        """Reads a file of the user's own. Raises FormatError, UnknownVersionError, SecurityError."""
        return _from_fields(_parse_json(text))


def practice(url: str, root_key_der: bytes) -> NetworkProfile:
    """The embedded practice network, with the prices and limits of the real one. Raises SecurityError off loopback."""
    if not is_loopback(url):
        raise SecurityError("The practice network is on this computer only.")
    return replace(IC, name="practice", kind="practice", gateways=(url,), root_key_der=root_key_der)


def load_profiles(folder: Path) -> dict[str, NetworkProfile]:
    """The built-in `IC` and the user's own profiles (*.json in `folder`) by name.

    Raises FormatError naming the file, UnknownVersionError, SecurityError, StorageError.
    """
    return {IC.name: IC, **{profile.name: profile for profile in own_profiles(folder).values()}}


def own_profiles(folder: Path) -> dict[Path, NetworkProfile]:
    """The user's own profiles by their files. Raises as `load_profiles` does."""
    profiles: dict[Path, NetworkProfile] = {}
    for path in sorted(folder.glob("*.json")):
        with storage_errors(f"read {path.name}"), path.open("rb") as file:
            content = file.read(_MAX_FILE_SIZE_BYTES + 1)
        try:
            profile = NetworkProfile.from_json(_text(content))
        except (FormatError, SecurityError) as error:
            raise type(error)(f"{path.name}: {error.what}", next_step=error.next_step) from error
        if profile.name in {one.name for one in profiles.values()}:
            raise FormatError(f"{path.name}: there is a network named {profile.name} already.")
        profiles[path] = profile
    return profiles


def is_loopback(gateway: str) -> bool:
    """Whether a URL leads to this computer."""
    host = urlsplit(gateway).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_gateway(gateway: str) -> None:
    """Scheme, host, port and nothing else; unencrypted only on this computer."""
    try:
        url = urlsplit(gateway)
        plain = f"{url.scheme}://{url.netloc}" == gateway and "@" not in url.netloc and bool(url.hostname)
        _ = url.port
    except ValueError:
        plain = False
    if not plain or url.scheme not in ("http", "https"):
        raise FormatError("A gateway is a URL like https://example.org, without a path or a user name.")
    if url.scheme == "http" and not is_loopback(gateway):
        raise SecurityError(
            "A gateway on another computer is named without encryption.", next_step="Use its https address."
        )


def _text(content: bytes) -> str:
    if len(content) > _MAX_FILE_SIZE_BYTES:
        raise FormatError("The file is too large for a network profile.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise FormatError("The file is no UTF-8 text.") from None


def _parse_json(text: str) -> dict[str, Any]:
    if text.count("[") + text.count("{") > _MAX_NESTED:  # json's own bound is the stack, which others may have lifted
        raise FormatError("The file is no network profile.")
    try:
        content = json.loads(text)
    except ValueError:
        raise FormatError("The file is no JSON.") from None
    if not isinstance(content, dict):
        raise FormatError("The file is no network profile.")
    version = content.pop("version", None)
    if type(version) is not int:
        raise FormatError("The file does not say its version.")
    if version != FORMAT_VERSION:
        raise UnknownVersionError(
            f"The file has version {version}; this program knows version {FORMAT_VERSION}.",
            next_step="Use a newer Personal AI.",
        )
    return content


def _from_fields(content: dict[str, Any]) -> NetworkProfile:
    match content:
        case {"name": str(name), "kind": str(kind), "gateways": list(gateways), **rest} if all(
            isinstance(gateway, str) for gateway in gateways
        ):
            pass
        case _:
            raise FormatError("A network profile needs name, kind and gateways.")
    if kind not in _FILE_KINDS or name in BUILT_IN_NAMES:
        raise FormatError("A profile of your own has kind local or custom and not the name of a built-in network.")
    profile = NetworkProfile(
        name,
        cast(Kind, kind),
        tuple(gateways),
        _root_key(rest.pop("root_key", None)),
        costs=_numbers(CostTable(), rest.pop("costs", {})),
        limits=_numbers(Limits(), rest.pop("limits", {})),
        ledgers=_ledgers(rest.pop("ledgers", {})),
        pacing=_numbers(Pacing(), rest.pop("pacing", {})),
    )
    if rest:
        raise FormatError(f"A network profile has no field {sorted(map(str, rest))[0]!r}.")
    return profile


def _root_key(value: object) -> bytes | None:
    if value is None:
        return None
    try:
        return bytes.fromhex(str(value))
    except ValueError:
        raise FormatError("The root key is not written in hexadecimal digits.") from None


_Table = TypeVar("_Table", CostTable, Limits, Pacing)


def _numbers(table: _Table, values: object) -> _Table:
    """The table with `values` in place of its own; a number keeps the kind (whole or not) that it has there."""
    known = {one.name: getattr(table, one.name) for one in fields(table)}
    for name, value in _object(values, known).items():
        kinds = (int, float) if isinstance(known[name], float) else (int,)
        if type(value) not in kinds or not 0 <= value < 1 << 63:
            raise FormatError(f"The number {name!r} is out of range.")
    return replace(table, **cast(dict[str, Any], values))


def _ledgers(values: object) -> Ledgers:
    known = {one.name: None for one in fields(Ledgers)}
    return Ledgers(**{name: Principal.from_text(str(value)) for name, value in _object(values, known).items()})


def _object(values: object, known: Mapping[str, object]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise FormatError("A network profile's tables are JSON objects.")
    if surplus := values.keys() - known.keys():
        raise FormatError(f"A network profile has no field {sorted(surplus)[0]!r}.")
    return values


IC = NetworkProfile("ic", "ic", ("https://icp-api.io", "https://ic0.app"), IC_ROOT_KEY_DER)
