"""What the window asks of the core about networks: the part of `personal_ai.app.own_networks` that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from personal_ai.app.own_networks import Described, Reached
    from personal_ai.ic.profile import NetworkProfile


class OwnNetworks(Protocol):
    """The networks beside the practice network."""

    def all(self) -> tuple[NetworkProfile, ...]: ...
    def add(self, described: Described) -> NetworkProfile: ...
    def change(self, described: Described) -> NetworkProfile: ...
    def remove(self, name: str) -> None: ...
    def check(self, name: str) -> Reached: ...
