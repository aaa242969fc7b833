"""Reading JSON that others wrote: bounded in size, every field checked, every complaint with the field's name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from personal_ai.common.errors import FormatError

MAX_JSON_SIZE_BYTES = 4 << 20

C = TypeVar("C", bound=str)


def parse_json(data: bytes, what: str) -> object:
    """The value of a JSON text in UTF-8; `what` names it in errors. Raises FormatError."""
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{what} is no valid JSON.") from error


def read_json(path: Path, max_size_bytes: int = MAX_JSON_SIZE_BYTES) -> object:
    """The value of a JSON file of bounded size. Raises FormatError, also where the file cannot be read."""
    return parse_json(read_bounded(path, max_size_bytes), path.name)


def read_bounded(path: Path, max_size_bytes: int) -> bytes:
    """A file's content. Raises FormatError when it is missing, unreadable or too large."""
    try:
        with path.open("rb") as file:
            data = file.read(max_size_bytes + 1)
    except OSError as error:
        raise FormatError(f"{path.name} cannot be read: {(error.strerror or 'unknown reason').lower()}.") from error
    if len(data) > max_size_bytes:
        raise FormatError(f"{path.name} is larger than {max_size_bytes:,} bytes.")
    return data


class Fields:
    """A JSON object whose fields are read by type and range. A missing field is the default, if there is one.

    Every method raises FormatError naming the field.
    """

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise FormatError(f"{where} is no JSON object.")
        self._values: Mapping[str, Any] = value
        self._where = where

    def __contains__(self, name: str) -> bool:
        return self._values.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def raw(self, name: str) -> object:
        """The field as JSON gave it; None where it is missing."""
        return self._values.get(name)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        value = self._get(name, default)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            self._refuse(name, f"an integer from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        value = self._get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            self._refuse(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        value = self._get(name, default)
        if not isinstance(value, bool):
            self._refuse(name, "true or false")
        return value

    def text(self, name: str, max_length: int, default: str | None = None) -> str:
        value = self._get(name, default)
        if not isinstance(value, str) or len(value) > max_length:
            self._refuse(name, f"a text of at most {max_length} characters")
        return value

    def integers(self, name: str, high: int, max_count: int) -> tuple[int, ...]:
        """A list of integers from 0 to `high`, or one alone; missing is empty."""
        value = self._values.get(name)
        items = [] if value is None else value if isinstance(value, list) else [value]
        if len(items) > max_count or not all(type(item) is int and 0 <= item <= high for item in items):
            self._refuse(name, f"at most {max_count} integers from 0 to {high}")
        return tuple(items)

    def numbers(self, name: str, low: float, high: float, max_count: int) -> tuple[float, ...]:
        """A list of numbers from `low` to `high`; missing is empty."""
        value = self._values.get(name)
        items = [] if value is None else value
        if (
            not isinstance(items, list)
            or len(items) > max_count
            or not all(type(item) in (int, float) and low <= item <= high for item in items)
        ):
            self._refuse(name, f"at most {max_count} numbers from {low:g} to {high:g}")
        return tuple(map(float, items))

    def texts(self, name: str, max_length: int, max_count: int) -> tuple[str, ...]:
        """A list of texts; missing is empty."""
        value = self._values.get(name)
        items = [] if value is None else value
        if (
            not isinstance(items, list)
            or len(items) > max_count
            or not all(isinstance(item, str) and len(item) <= max_length for item in items)
        ):
            self._refuse(name, f"at most {max_count} texts of at most {max_length} characters")
        return tuple(items)

    def choice(self, name: str, choices: tuple[C, ...]) -> C:
        """One of a few texts."""
        value = self._values.get(name)
        found = next((choice for choice in choices if choice == value), None)
        if found is None:
            self._refuse(name, f"one of {', '.join(choices)}")
        return found

    def fields(self, name: str) -> Fields:
        """A field that is an object itself; missing is empty."""
        return Fields(self._values.get(name) or {}, f"{self._where}: {name}")

    def _get(self, name: str, default: object) -> Any:
        value = self._values.get(name)
        return default if value is None else value

    def _refuse(self, name: str, expected: str) -> NoReturn:
        raise FormatError(f"{self._where}: {name!r} must be {expected}.")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
