"""Where things lie on this computer. Nothing else in the program builds these paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HOME_VARIABLE = "PERSONAL_AI_HOME"


def resource(name: str) -> Path:
    """A file that comes with the program: in the wheel `personal_ai/_resources`, in a checkout `resources`."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_resources"
    return (installed if installed.is_dir() else package.parent / "resources") / name


@dataclass(frozen=True, slots=True)
class Paths:
    """The layout below one home folder (one profile of one person)."""

    home: Path

    @classmethod
    def default(cls) -> Paths:
        """The home folder named by PERSONAL_AI_HOME, or the system's folder for application data."""
        if named := os.environ.get(HOME_VARIABLE):
            return cls(Path(named))
        import platformdirs  # noqa: PLC0415 - the window's start is counted in milliseconds

        return cls(Path(platformdirs.user_data_dir("personal-ai", appauthor=False)))

    @property
    def vault(self) -> Path:
        return self.home / "vault"

    @property
    def settings(self) -> Path:
        return self.home / "settings.json"

    @property
    def setup(self) -> Path:
        """What is being set up."""
        return self.home / "setup.json"

    @property
    def speed(self) -> Path:
        """How fast this computer was measured to be; can be measured again."""
        return self.home / "speed.json"

    @property
    def networks(self) -> Path:
        """The user's own network profiles."""
        return self.home / "networks"

    @property
    def catalogue(self) -> Path:
        """The user's own list of models that fit; not there until one is written."""
        return self.home / "catalogue.json"

    @property
    def models(self) -> Path:
        """The library, one folder per model package, unless it was moved."""
        return self.home / "models"

    @property
    def library_place(self) -> Path:
        """Says where the library was moved to; not there where it was not."""
        return self.home / "models.json"

    @property
    def downloads(self) -> Path:
        """What is being fetched from a model hub; can be fetched again."""
        return self.home / "downloads"

    @property
    def programs(self) -> Path:
        """Compiled canister programs, named by hash; can be made again."""
        return self.home / "programs"

    @property
    def journal(self) -> Path:
        """The deployments' journal (SQLite)."""
        return self.home / "deployments.sqlite"

    @property
    def payments(self) -> Path:
        """The wallet's journal of payments (SQLite)."""
        return self.home / "payments.sqlite"

    @property
    def burn(self) -> Path:
        """What canisters had at which time, and their budgets (SQLite)."""
        return self.home / "burn.sqlite"

    @property
    def tending(self) -> Path:
        """Held by the one process that tops canisters up by itself just now."""
        return self.home / "tending.lock"

    @property
    def conversations(self) -> Path:
        """Encrypted conversations (SQLite)."""
        return self.home / "conversations.sqlite"

    @property
    def practice_network(self) -> Path:
        """State of the embedded practice network."""
        return self.home / "practice-network"
