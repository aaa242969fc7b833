"""The process that runs one model: `python -m personal_ai.models.local.worker`, spoken to as `pipe` says.

onnxruntime may run out of memory, crash, or be deep in a long computation when the user leaves: here it takes nothing
with it. The process ends with the pipe, hence with whoever started it, however that one ended.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.models.local import pipe
from personal_ai.models.local.model import LocalModel
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling


class Worker:
    """One model and the requests for it, in the order in which they came."""

    def __init__(self, requests: IO[bytes], replies: IO[bytes]) -> None:
        self._requests, self._replies = requests, replies
        self._waiting: queue.SimpleQueue[pipe.Message] = queue.SimpleQueue()
        self._cancels: dict[int, Cancel] = {}

    def run(self) -> None:
        """Serves until the pipe ends, which ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        model: LocalModel | None = None
        while True:
            request = self._waiting.get()
            last: pipe.Message
            try:
                if model is None:
                    model = _load(request)
                    last = {"devices": [asdict(verdict) for verdict in model.devices]}
                else:
                    last = self._generate(model, request)
            except Cancelled:
                last = {"cancelled": True}
            except UserFacingError as error:
                last = {"error": pipe.from_error(error)}
            except Exception as error:
                # A bug. Its message is left out: it may quote what it was computing.
                places = "".join(traceback.format_tb(error.__traceback__))
                last = {"bug": f"{places}{type(error).__name__}"}
            self._cancels.pop(request["id"])
            pipe.write(self._replies, {"id": request["id"], **last})
            if model is None:
                return

    def _listen(self) -> None:
        """Hears a stop while the model computes. At the end nobody is left to answer, and nothing to save."""
        while (request := pipe.read(self._requests)) is not None:
            if "stop" in request:
                if request["id"] in self._cancels:
                    self._cancels[request["id"]].cancel()
            else:
                self._cancels[request["id"]] = Cancel()
                self._waiting.put(request)
        os._exit(0)

    def _generate(self, model: LocalModel, request: pipe.Message) -> pipe.Message:
        reply = model.generate(
            request["tokens"],
            max_tokens=request["max_tokens"],
            sampling=Sampling(**request["sampling"]),
            on_token=lambda token: pipe.write(self._replies, {"id": request["id"], "token": token}),
            cancel=self._cancels[request["id"]],
        )
        return {"finish": reply.finish}


def _load(request: pipe.Message) -> LocalModel:
    from personal_ai.models.runtime import share_threads  # noqa: PLC0415 -- slow, and its errors belong into the reply

    threads = request["threads"]
    share_threads(threads)
    package = ModelPackage.open(Path(request["folder"]))
    return LocalModel(package, threads=threads, guess_ahead=request["guess_ahead"])


def _limit_harm() -> None:
    """A crash writes no file with what was said, and where memory runs out, Linux ends this process before others."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 -- only POSIX has it

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500")


def main() -> None:
    _limit_harm()
    replies = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever a library prints is no message
    Worker(sys.stdin.buffer, replies).run()


if __name__ == "__main__":
    main()
