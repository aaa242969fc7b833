"""Which networks there are, by name: the practice network, the real one, and the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.profile import NetworkProfile, load_profiles
from personal_ai.identities.linking import LinkWarning

PRACTICE = "practice"


def as_on(network: str, warning: LinkWarning | None) -> LinkWarning | None:
    """What a warning says on a network: on the practice network nothing is public."""
    return warning.rehearsed() if warning is not None and network == PRACTICE else warning


@dataclass(frozen=True, slots=True)
class Networks:
    """folder: where the user's own profiles lie."""

    folder: Path
    practice: PracticeNetwork

    def started(self, name: str, cancel: Cancel | None = None) -> NetworkProfile:
        """A network's profile; the practice network is started where it does not run. Raises BadInputError."""
        return self.practice.start(cancel) if name == PRACTICE else self._foreign(name)

    def known(self, name: str) -> NetworkProfile:
        """A network's profile, and nothing is started. Raises BadInputError, NetworkUnreachableError."""
        return self.practice.profile() if name == PRACTICE else self._foreign(name)

    def _foreign(self, name: str) -> NetworkProfile:
        profiles = load_profiles(self.folder)
        if name not in profiles:
            known = ", ".join(sorted((PRACTICE, *profiles)))
            raise BadInputError(f"There is no network named {name}.", next_step=f"Known are: {known}.")
        return profiles[name]
