"""Opens the program's window on an empty profile and says when it can be used; `tests.benchmarks.ui` times it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from personal_ai.common.paths import Paths
from ui.__main__ import _workspace
from ui.application import make_application
from ui.window import Window


def main() -> None:
    """argv: an empty folder. Prints how many widgets the window has once its first page is drawn."""
    application = make_application()
    paths = Paths(Path(sys.argv[1]))
    window = Window(lambda: _workspace(paths), paths)
    window.show()
    application.processEvents()
    print(len(application.allWidgets()), flush=True)
    os._exit(0)  # what is loading behind the page need not be waited for


if __name__ == "__main__":
    main()
