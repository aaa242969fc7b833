"""The part of CBOR (RFC 8949) that the HTTPS interface uses, with bounds.

Written here because what arrives is hostile: a general decoder also builds dates, patterns, shared references
and numbers of any size. Known: integers, byte and text strings, arrays, maps with text keys, false, true, null,
tag 55799 around the whole, and tags 2 and 3 (big numbers, which some agents use for plain ones). Everything has
a definite length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from personal_ai.common.errors import FormatError

SELF_DESCRIBED: Final = b"\xd9\xd9\xf7"  # tag 55799
MAX_DEPTH = 256  # a certificate's tree nests about 80 deep on the largest subnets
MAX_ITEMS = 500_000
_MAX_BIGNUM_SIZE_BYTES = 32

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_SIMPLE_VALUES: Final[dict[int, bool | None]] = {20: False, 21: True, 22: None, 23: None}
_TAG_POSITIVE_BIGNUM, _TAG_NEGATIVE_BIGNUM, _TAG_SELF_DESCRIBED = 2, 3, 55799


def encode(value: object, self_described: bool = True) -> bytes:
    """Encodes None, bool, int (64-bit), bytes, str, sequences and maps with text keys, in their given order.

    Raises TypeError or OverflowError for anything else.
    """
    out: list[bytes] = [SELF_DESCRIBED] if self_described else []
    _encode_into(out, value)
    return b"".join(out)


def _encode_into(out: list[bytes], value: object) -> None:
    match value:
        case None:
            out.append(b"\xf6")
        case bool():
            out.append(b"\xf5" if value else b"\xf4")
        case int():
            out.append(_head(_UNSIGNED, value) if value >= 0 else _head(_NEGATIVE, -1 - value))
        case bytes() | bytearray() | memoryview():
            out += (_head(_BYTES, len(value)), bytes(value))
        case str():
            encoded = value.encode()
            out += (_head(_TEXT, len(encoded)), encoded)
        case list() | tuple():
            out.append(_head(_ARRAY, len(value)))
            for item in value:
                _encode_into(out, item)
        case Mapping():
            out.append(_head(_MAP, len(value)))
            for key, item in value.items():
                if not isinstance(key, str):
                    raise TypeError("map keys are text")
                _encode_into(out, key)
                _encode_into(out, item)
        case _:
            raise TypeError(f"no CBOR for {type(value).__name__}")


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size_bytes in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size_bytes:
            return bytes((major << 5 | info,)) + argument.to_bytes(size_bytes, "big")
    raise OverflowError("numbers have at most 64 bits")


def decode(
    data: bytes, max_size_bytes: int = 8 << 20, *, max_depth: int = MAX_DEPTH, max_items: int = MAX_ITEMS
) -> object:
    """Decodes one value that fills `data`: None, bool, int, bytes, str, list or dict[str, …]. Raises FormatError."""
    if len(data) > max_size_bytes:
        raise FormatError(f"The CBOR message has {len(data)} bytes, more than the {max_size_bytes} allowed.")
    start = len(SELF_DESCRIBED) if data.startswith(SELF_DESCRIBED) else 0
    decoder = _Decoder(data, start, max_items)
    value = decoder.value(max_depth)
    if decoder.position != len(data):
        raise FormatError("The CBOR message has bytes after its end.")
    return value


class _Decoder:
    def __init__(self, data: bytes, position: int, max_items: int) -> None:
        self._data = data
        self.position = position
        self._items_left = max_items

    def value(self, depth_left: int) -> object:
        self._items_left -= 1
        if depth_left <= 0 or self._items_left < 0:
            raise FormatError("The CBOR message is nested too deeply or has too many values.")
        initial = self._take(1)[0]
        major, argument = initial >> 5, self._argument(initial & 0x1F)
        result: object
        if major == _UNSIGNED:
            result = argument
        elif major == _NEGATIVE:
            result = -1 - argument
        elif major == _BYTES:
            result = self._take(argument)
        elif major == _TEXT:
            result = self._text(argument)
        elif major == _ARRAY:
            result = self._array(argument, depth_left)
        elif major == _MAP:
            result = self._map(argument, depth_left)
        elif major == _TAG:
            result = self._bignum(argument)
        else:
            result = self._simple(initial & 0x1F)
        return result

    def _simple(self, info: int) -> bool | None:
        if info not in _SIMPLE_VALUES:
            raise FormatError("The CBOR message has a kind of value that is not used here.")
        return _SIMPLE_VALUES[info]

    def _argument(self, info: int) -> int:
        if info < 24:
            return info
        if info > 27:
            raise FormatError("The CBOR message has a value of indefinite length.")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _take(self, size_bytes: int) -> bytes:
        end = self.position + size_bytes
        if end > len(self._data):
            raise FormatError("The CBOR message ends too early.")
        taken = self._data[self.position : end]
        self.position = end
        return taken

    def _text(self, size_bytes: int) -> str:
        try:
            return self._take(size_bytes).decode()
        except UnicodeDecodeError:
            raise FormatError("The CBOR message has text that is not UTF-8.") from None

    def _array(self, count: int, depth_left: int) -> list[object]:
        items: list[object] = []
        for _ in range(self._count(count)):
            items.append(self.value(depth_left - 1))  # noqa: PERF401 - a comprehension would be one more frame per level
        return items

    def _map(self, count: int, depth_left: int) -> dict[str, object]:
        fields: dict[str, object] = {}
        for _ in range(self._count(count)):
            key = self.value(depth_left - 1)
            if not isinstance(key, str) or key in fields:
                raise FormatError("The CBOR message has a map with a key that is no text or comes twice.")
            fields[key] = self.value(depth_left - 1)
        return fields

    def _count(self, count: int) -> int:
        if count > len(self._data) - self.position:  # every item has a byte at least
            raise FormatError("The CBOR message ends too early.")
        return count

    def _bignum(self, tag: int) -> int:
        if tag not in (_TAG_POSITIVE_BIGNUM, _TAG_NEGATIVE_BIGNUM):
            raise FormatError(f"The CBOR message has tag {tag}, which is not used here.")
        initial = self._take(1)[0]
        size_bytes = self._argument(initial & 0x1F)
        if initial >> 5 != _BYTES or size_bytes > _MAX_BIGNUM_SIZE_BYTES:
            raise FormatError("The CBOR message has a number that is too long.")
        number = int.from_bytes(self._take(size_bytes), "big")
        return number if tag == _TAG_POSITIVE_BIGNUM else -1 - number
