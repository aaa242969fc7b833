"""What the program and the process that runs a model say to each other: JSON objects, each after its length in bytes
(32 bits, little-endian), over two pipes. What people wrote goes this way alone: never in arguments, files or logs.

To the process, first `load` {folder, threads}, then any number of `generate` {id, tokens, max_tokens, sampling} and
`stop` {id}; an end of the pipe ends the process. From it, each with the id of what it answers (0: the load):
{token}, and last one of {devices} for the load, {finish}, {cancelled}, {error}, {bug}.
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any, Final

from personal_ai.common.errors import BadInputError, DamagedFileError, UserFacingError
from personal_ai.models.local.model import NotEnoughMemoryError

LOAD_ID: Final = 0

Message = dict[str, Any]

_LENGTH = struct.Struct("<I")
_LENGTH_MAX_BYTES = 1 << 26


_ERRORS: Final = {
    kind.__name__: kind for kind in (UserFacingError, BadInputError, DamagedFileError, NotEnoughMemoryError)
}


def write(stream: IO[bytes], message: Message) -> None:
    """Raises OSError when nobody reads any more."""
    data = json.dumps(message).encode()
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read(stream: IO[bytes]) -> Message | None:
    """The next message; None at the end of the pipe. Raises ValueError for what is no message."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _LENGTH_MAX_BYTES:
        raise ValueError("a message is too long")
    data = stream.read(length)
    if len(data) < length:
        return None
    message = json.loads(data)
    if not isinstance(message, dict):
        raise ValueError("a message is no object")
    return message


def from_error(error: UserFacingError) -> Message:
    """An error of the program's tree, as the nearest kind that crosses the pipe."""
    kind = next(base.__name__ for base in type(error).__mro__ if base.__name__ in _ERRORS)
    return {"kind": kind, "what": error.what, "not_lost": error.not_lost, "next_step": error.next_step}


def to_error(message: Message) -> UserFacingError:
    kind = _ERRORS[message["kind"]]
    return kind(message["what"], not_lost=message["not_lost"], next_step=message["next_step"])
