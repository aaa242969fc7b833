"""The networks beside the practice network: the user's own are added, changed and removed, all are checked."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.principal import ANONYMOUS
from personal_ai.ic.profile import BUILT_IN_NAMES, Kind, NetworkProfile, is_loopback, load_profiles, own_profiles
from personal_ai.ic.transport import connect

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

_BETWEEN_GATEWAYS = re.compile(r"[\s,;]+")


@dataclass(frozen=True, slots=True)
class Described:
    """A network in the words of a form: addresses apart by spaces or commas, the root key in hexadecimal digits.

    root_key: empty only where every address is on this computer; then the network is asked for its key.
    """

    name: str
    gateways: str
    root_key: str = ""

    @classmethod
    def of(cls, profile: NetworkProfile) -> Described:
        key = "" if profile.root_key_der is None else profile.root_key_der.hex()
        return cls(profile.name, " ".join(profile.gateways), key)

    def profile(self, before: NetworkProfile | None = None) -> NetworkProfile:
        """before: what is changed; its costs and limits stay. Raises FormatError, SecurityError, BadInputError."""
        gateways = tuple(one.rstrip("/") for one in _BETWEEN_GATEWAYS.split(self.gateways.strip()) if one)
        key = _key(self.root_key)
        if before is not None:
            return replace(before, gateways=gateways, root_key_der=key)
        kind: Kind = "local" if all(is_loopback(one) for one in gateways) else "custom"
        return NetworkProfile(self.name.strip(), kind, gateways, key)


@dataclass(frozen=True, slots=True)
class Reached:
    """A network that answered and proved with its root key that it is the one. version: its software's, if it says."""

    profile: NetworkProfile
    version: str | None


class OwnNetworks:
    """See the module. Raises FormatError and SecurityError where a file breaks the rules of `ic.profile`."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    @property
    def _folder(self) -> Path:
        return self._workspace.networks.folder

    def all(self) -> tuple[NetworkProfile, ...]:
        """The Internet Computer first, then the user's own."""
        return tuple(load_profiles(self._folder).values())

    def add(self, described: Described) -> NetworkProfile:
        """Raises FormatError, SecurityError, BadInputError where the name is taken, StorageError."""
        profile = described.profile()
        target = self._folder / f"{profile.name}.json"
        if profile.name in (*BUILT_IN_NAMES, *load_profiles(self._folder)) or target.exists():
            raise BadInputError(f"There is a network named {profile.name} already.", next_step="Choose another name.")
        return _written(target, profile)

    def change(self, described: Described) -> NetworkProfile:
        """Other addresses or another key for the network of this name. Raises as `add` does."""
        path, before = self._own(described.name)
        return _written(path, described.profile(before))

    def remove(self, name: str) -> None:
        """Forgets how the network is reached; what lives there stays, and is there again when it is added again."""
        path, _ = self._own(name)
        with storage_errors("remove the network"):
            path.unlink()

    def check(self, name: str) -> Reached:
        """Goes there without any identity. Raises BadInputError, NetworkError, SecurityError."""
        profile = self._workspace.networks.known(name)
        transport = connect(profile, self._workspace.proxy_for(ANONYMOUS))
        with closing(Agent(profile, AnonymousIdentity(), transport)) as agent:
            return Reached(profile, agent.prove_network().version)

    def _own(self, name: str) -> tuple[Path, NetworkProfile]:
        for path, profile in own_profiles(self._folder).items():
            if profile.name == name:
                return path, profile
        raise BadInputError(f"There is no network of your own named {name}.")


def _written(path: Path, profile: NetworkProfile) -> NetworkProfile:
    """Read back before it is kept: no file is left that would not load. Raises as `NetworkProfile.from_json` does."""
    text = profile.to_json()
    kept = NetworkProfile.from_json(text)
    write_atomically(path, text.encode())
    return kept


def _key(digits: str) -> bytes | None:
    """Raises FormatError."""
    packed = "".join(digits.split()).removeprefix("0x")
    try:
        return bytes.fromhex(packed) if packed else None
    except ValueError:
        raise FormatError(
            "The root key is not written in hexadecimal digits.",
            next_step="Ask whoever runs the network for its root key in that form.",
        ) from None
