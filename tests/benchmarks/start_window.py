"""Opens the program's window on an empty profile and says when it can be used; `tests.benchmarks.ui` times it."""

from __future__ import annotations

import sys
from pathlib import Path

from personal_ai.common.paths import Paths
from tests.benchmarks.usable import show_and_tell
from ui.__main__ import _workspace
from ui.application import make_application
from ui.window import Window


def main() -> None:
    """argv: an empty folder."""
    application = make_application()
    paths = Paths(Path(sys.argv[1]))
    show_and_tell(application, Window(lambda: _workspace(paths), paths))


if __name__ == "__main__":
    main()
