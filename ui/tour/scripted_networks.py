"""The networks of a scripted core: they go by the program's own rules, and a check of one goes nowhere."""

from __future__ import annotations

from collections.abc import Callable

from personal_ai.app.own_networks import Described, Reached
from personal_ai.common.errors import BadInputError
from personal_ai.ic.profile import IC, NetworkProfile


class ScriptedNetworks:
    """before: called with the name of each call; it may raise or wait."""

    def __init__(self) -> None:
        self.known = {IC.name: IC}
        self.before: Callable[[str], None] = lambda _: None

    def all(self) -> tuple[NetworkProfile, ...]:
        self.before("all")
        return tuple(self.known.values())

    def add(self, described: Described) -> NetworkProfile:
        profile = described.profile()
        if profile.name in self.known:
            raise BadInputError(f"There is a network named {profile.name} already.", next_step="Choose another name.")
        self.known[profile.name] = profile
        return profile

    def change(self, described: Described) -> NetworkProfile:
        changed = self.known[described.name] = described.profile(self.known[described.name])
        return changed

    def remove(self, name: str) -> None:
        self.before("remove")
        del self.known[name]

    def check(self, name: str) -> Reached:
        self.before("check")
        return Reached(self.known[name], "0.9.4")
