"""`python -m personal_ai.replica --state DIR`: runs a practice network until it is told to stop.

When it is ready it writes DIR/network.json and prints one line of JSON. An error goes to standard error in words,
and the exit code says which it was.
"""

from __future__ import annotations

import argparse
import errno
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from personal_ai.common.errors import NetworkError, UserFacingError
from personal_ai.common.files import write_atomically
from personal_ai.ic.profile import Pacing
from personal_ai.replica.control import Control
from personal_ai.replica.folder_lock import FolderInUseError, FolderLock
from personal_ai.replica.http_server import HttpServer
from personal_ai.replica.network import Network, Options
from personal_ai.replica.scheduler import UNPACED

NETWORK_FILE_NAME = "network.json"
EXIT_FAILED, EXIT_PORT_IN_USE, EXIT_FOLDER_IN_USE = 1, 3, 4
_FORMAT_VERSION = 1
_STOP_TIMEOUT_S = 10.0
_STOP_POLL_S = 0.05


class PortInUseError(NetworkError):
    """Another program listens on the port."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the network; gives the exit code."""
    options = _parse(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        _run(options.state, options.port, Options(pacing=_PACES[options.pace], provisional=options.provisional))
    except UserFacingError as error:
        sys.stderr.write(f"{error}\n")
        exit_codes = {PortInUseError: EXIT_PORT_IN_USE, FolderInUseError: EXIT_FOLDER_IN_USE}
        return exit_codes.get(type(error), EXIT_FAILED)
    return 0


_PACES = {"none": UNPACED, "ic": Pacing()}


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m personal_ai.replica", description="A practice network.")
    parser.add_argument("--state", type=Path, required=True, help="the folder that holds the network's state")
    parser.add_argument(
        "--port",
        type=int,
        default=0,
        choices=range(1 << 16),
        metavar="PORT",
        help="the port on 127.0.0.1 (default: any that is free)",
    )
    parser.add_argument("--pace", choices=sorted(_PACES), default="none", help="as fast as can be, or like the network")
    parser.add_argument("--provisional", action="store_true", help="make canisters and cycles out of nothing")
    return parser.parse_args(arguments)


def _run(folder: Path, port: int, options: Options) -> None:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    lock = FolderLock(folder)
    network = Network(folder, options)
    control = Control(network, stopping.set)
    server = _listen(port, network, control)
    threading.Thread(target=server.serve_forever, args=(_STOP_POLL_S,), name="http", daemon=True).start()
    _announce(folder, server.url, network, control)
    stopping.wait()
    server.shutdown()
    server.server_close()
    if not network.close(_STOP_TIMEOUT_S):
        os._exit(0)  # a message still runs; it has changed nothing, and nothing else could end it
    lock.release()


def _listen(port: int, network: Network, control: Control) -> HttpServer:
    try:
        return HttpServer(port, network.endpoints, control)
    except OSError as error:
        network.close()
        if error.errno != errno.EADDRINUSE:
            raise NetworkError(f"The practice network cannot listen on port {port}: {error.strerror}.") from error
        raise PortInUseError(
            f"Port {port} is in use by another program.",
            not_lost="The practice network's state is unchanged.",
            next_step="Choose another port, or none: then a free one is taken.",
        ) from error


def _announce(folder: Path, url: str, network: Network, control: Control) -> None:
    """Tells where the network is reached: in a file for its owner alone, and without the token on standard output."""
    fields = {
        "version": _FORMAT_VERSION,
        "url": url,
        "root_key": network.keys.root.public_key_der.hex(),
        "pid": os.getpid(),
    }
    write_atomically(folder / NETWORK_FILE_NAME, json.dumps({**fields, "control_token": control.token}).encode())
    with suppress(OSError):  # who started us need not listen
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
