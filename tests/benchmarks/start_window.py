"""Opens the program's window on an empty profile and says when it can be used; `tests.benchmarks.ui` times it."""

from __future__ import annotations

import sys
from pathlib import Path

from personal_ai.common.paths import Paths
from ui.__main__ import make_window
from ui.window import SIZE


def main() -> None:
    """argv: an empty folder."""
    application, window = make_window(Paths(Path(sys.argv[1])))
    window.resize(*SIZE)  # as large as the bare one, whatever the screen is like
    from tests.benchmarks.usable import show_and_tell

    show_and_tell(application, window)


if __name__ == "__main__":
    main()
