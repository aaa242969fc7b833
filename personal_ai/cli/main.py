"""The command line: the app's actions without a screen.

Exit codes: 0 done; 1 an error that the text on the error stream explains; 2 wrong usage; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence

from personal_ai.cli import (
    backup,
    canister,
    chat,
    completion,
    demo,
    deployments,
    embed,
    identities,
    models,
    network,
    recover,
    vault,
    wallet,
)
from personal_ai.common.errors import Cancelled, UserFacingError

EXIT_ERROR = 1
EXIT_CANCELLED = 130


def parser() -> argparse.ArgumentParser:
    """The whole command line; without a command the program opens its window instead."""
    root = argparse.ArgumentParser(
        prog="personal-ai", description="Your own AI in a canister that you alone control. No command: the window."
    )
    commands = root.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for room in (demo, vault, identities, models, deployments, wallet, chat, embed, canister, network, backup, recover):
        room.add_commands(commands)
    completion.add_commands(commands, root)
    return root


def main(argv: Sequence[str]) -> int:
    """Runs one command. User-facing errors become text and exit code 1; bugs keep their traceback."""
    arguments = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        arguments.run(arguments)
    except UserFacingError as error:
        for line in (error.what, error.not_lost, error.next_step):
            if line:
                print(line, file=sys.stderr)
        return EXIT_ERROR
    except (Cancelled, KeyboardInterrupt):
        print("Stopped. What was done so far is kept; the same command goes on from there.", file=sys.stderr)
        return EXIT_CANCELLED
    return 0
