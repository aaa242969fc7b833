"""What tensors take, in a program, in a packed file and in the state (docs/formats/program.md)."""

from __future__ import annotations

from personal_ai.compiler.format import BLOCK, GROUP, ROW_ALIGNMENT_BYTES, WIDE_GROUP, Element, Packing

_BLOCK_SIZE_BYTES = {
    Element.I8_BLOCK_PACKED: 4 + BLOCK,
    Element.I4_BLOCK_PACKED: 4 + BLOCK // 2,
    Element.I4_BLOCK_BYTES: 4 + BLOCK,
    Element.I8_SCREENED: 4 + BLOCK + BLOCK // 2,
}


def round_up(value: int, step: int) -> int:
    """The least multiple of `step` that is not below `value`."""
    return -(-value // step) * step


def packed_size_bytes(element: Element, outputs: int, inputs: int) -> int:
    """Bytes of packed weights [outputs, inputs]: whole groups of outputs; integers pad inputs to whole blocks."""
    if element is Element.F32_PACKED:
        return round_up(outputs, GROUP) * inputs * 4
    blocks = round_up(inputs, BLOCK) // BLOCK
    group = GROUP if element is Element.I8_BLOCK_PACKED else WIDE_GROUP
    return round_up(outputs, group) * blocks * _BLOCK_SIZE_BYTES[element]


def frames(element: Element, outputs: int, inputs: int) -> tuple[tuple[Packing, int], ...]:
    """How packed weights lie in a packed file: the packing of each part, and its bytes in the program."""
    size_bytes = packed_size_bytes(element, outputs, inputs)
    if element is Element.I4_BLOCK_BYTES:
        return ((Packing.I4_BLOCKS, size_bytes),)
    if element is Element.I8_SCREENED:
        upper_bytes = packed_size_bytes(Element.I4_BLOCK_BYTES, outputs, inputs)
        return (Packing.I4_BLOCKS, upper_bytes), (Packing.RAW, size_bytes - upper_bytes)
    return ((Packing.RAW, size_bytes),)


def stored_size_bytes(packing: Packing, size_bytes: int) -> int:
    """Bytes in a packed file of what gives `size_bytes` of the program."""
    if packing is Packing.RAW:
        return size_bytes
    return size_bytes // _BLOCK_SIZE_BYTES[Element.I4_BLOCK_BYTES] * _BLOCK_SIZE_BYTES[Element.I4_BLOCK_PACKED]


def kept_bits(element: Element) -> int:
    """Bits of each number of keys and values."""
    return 8 if element is Element.I8_KEPT else 32


def kept_size_bytes(element: Element, heads: int, head_size: int) -> int:
    """Bytes that the keys or the values of one position take."""
    return heads * (4 + head_size) if element is Element.I8_KEPT else heads * head_size * 4


def row_size_bytes(element: Element, columns: int) -> int:
    """Bytes that one row of activations takes, in whole vectors."""
    if element is Element.I16_BLOCK:
        blocks = round_up(columns, BLOCK) // BLOCK
        return round_up(blocks * (2 * BLOCK + 4), ROW_ALIGNMENT_BYTES)
    if element is Element.I64:
        return round_up(columns * 8, ROW_ALIGNMENT_BYTES)
    return round_up(columns * 4, ROW_ALIGNMENT_BYTES)
