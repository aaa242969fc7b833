"""Renders one chat template in a process of its own: a foreign template may loop or grow without end, and minijinja's
fuel stops only the former.

Run as a script. stdin: one JSON object {template, context, fuel, memory_bytes}; stdout: one JSON object, {"text": …}
or {"error": …}. Imports nothing of ours, so that it starts fast.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from typing import Any, NoReturn

import minijinja

MAX_OUTPUT_LENGTH = 1 << 20
_FORMAT_LENGTH_MAX = 100
# transformers marks what the assistant said with this block of its own; it prints what it holds.
_GENERATION = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")


def main() -> None:
    request = json.load(sys.stdin)
    _limit_memory(request["memory_bytes"])
    try:
        answer = {"text": render(request["template"], request["context"], request["fuel"])}
    except (minijinja.TemplateError, ValueError, MemoryError) as error:
        answer = {"error": str(error).partition("\n")[0][:500] or type(error).__name__}
    json.dump(answer, sys.stdout)


def render(template: str, context: dict[str, Any], fuel: int) -> str:
    """The template's text. Raises minijinja.TemplateError, ValueError."""
    environment = minijinja.Environment(
        fuel=fuel,
        trim_blocks=True,
        lstrip_blocks=True,
        pycompat=True,
        globals={"raise_exception": _raise_exception, "strftime_now": _strftime_now},
    )
    text = environment.render_str(_GENERATION.sub(_plain_block, template), **context)
    if len(text) > MAX_OUTPUT_LENGTH:
        raise ValueError("its text is too long")
    return text


def _plain_block(match: re.Match[str]) -> str:
    left, end, right = match.groups()
    return f"{{%{left} {'endif' if end else 'if true'} {right}%}}"


def _raise_exception(message: str) -> NoReturn:
    raise ValueError(str(message)[:500])


def _strftime_now(pattern: str) -> str:
    if len(pattern) > _FORMAT_LENGTH_MAX:
        raise ValueError("its date format is too long")
    return datetime.datetime.now().astimezone().strftime(pattern)


def _limit_memory(memory_bytes: int) -> None:
    """Linux keeps to this; where the system does not, the caller's time limit is what remains."""
    if sys.platform == "linux":
        import resource  # noqa: PLC0415 -- only POSIX has it

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
