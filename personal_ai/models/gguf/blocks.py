"""The number formats of GGUF tensors: bytes to f32, block by block, as ggml defines them.

A block is a few scales followed by integers of few bits; a value is scale * integer, less a minimum in some formats.
`d` and `m` below are the block's f16 scale and minimum, `q` its integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from personal_ai.models.quantisation import Floats

_Bytes = npt.NDArray[np.uint8]
_SUPER = 256  # values of a K block, in sub-blocks with scales of their own


@dataclass(frozen=True, slots=True)
class BlockFormat:
    """`values` numbers lie in `size_bytes` bytes; `dequantise` takes whole blocks [blocks, size_bytes]."""

    name: str
    values: int
    size_bytes: int
    dequantise: Callable[[_Bytes], Floats]


def _f16(data: _Bytes, at: int) -> Floats:
    """An f16 of each block, [blocks, 1]."""
    return np.ascontiguousarray(data[:, at : at + 2]).view("<f2").astype(np.float32)


def _plain(dtype: str) -> Callable[[_Bytes], Floats]:
    def convert(data: _Bytes) -> Floats:
        return data.view(dtype).astype(np.float32)

    return convert


def _bf16(data: _Bytes) -> Floats:
    return (data.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _halves(data: _Bytes) -> _Bytes:
    """The low four bits of all bytes, then the high ones: [..., bytes] -> [..., 2 * bytes]."""
    return np.concatenate((data & 0xF, data >> 4), axis=-1)


def _fifth_bits(data: _Bytes) -> _Bytes:
    """32 bits of each block, the lowest first, as 0 or 16: [blocks, 4] -> [blocks, 32]."""
    return np.unpackbits(data, axis=-1, bitorder="little") << np.uint8(4)


def _q4_0(data: _Bytes) -> Floats:
    return _f16(data, 0) * (_halves(data[:, 2:]).astype(np.float32) - 8)


def _q4_1(data: _Bytes) -> Floats:
    return _f16(data, 0) * _halves(data[:, 4:]).astype(np.float32) + _f16(data, 2)


def _q5_0(data: _Bytes) -> Floats:
    q = _halves(data[:, 6:]) | _fifth_bits(data[:, 2:6])
    return _f16(data, 0) * (q.astype(np.float32) - 16)


def _q5_1(data: _Bytes) -> Floats:
    q = _halves(data[:, 8:]) | _fifth_bits(data[:, 4:8])
    return _f16(data, 0) * q.astype(np.float32) + _f16(data, 2)


def _q8_0(data: _Bytes) -> Floats:
    return _f16(data, 0) * data[:, 2:].view(np.int8).astype(np.float32)


def _six_bit_scales(data: _Bytes) -> tuple[Floats, Floats]:
    """The eight scales and eight minima of a K block, six bits each in twelve bytes, [blocks, 8].

    Bytes 0-3 hold scales 0-3, bytes 4-7 minima 0-3, in their low six bits; bytes 8-11 the low four bits of scales 4-7
    and, above, of minima 4-7, whose upper two bits are the upper two of bytes 0-3 and 4-7.
    """
    first, second, third = data[:, 0:4], data[:, 4:8], data[:, 8:12]
    scales = np.concatenate((first & 63, (third & 15) | (first >> 6 << 4)), axis=-1)
    minima = np.concatenate((second & 63, (third >> 4) | (second >> 6 << 4)), axis=-1)
    return scales.astype(np.float32), minima.astype(np.float32)


def _with_minima(data: _Bytes, q: _Bytes) -> Floats:
    """q [blocks, 8, 32] with the scales and minima at the head of a Q4_K or Q5_K block."""
    scales, minima = _six_bit_scales(data[:, 4:16])
    d, m = _f16(data, 0) * scales, _f16(data, 2) * minima
    values: Floats = d[:, :, None] * q.astype(np.float32) - m[:, :, None]
    return values.reshape(len(data), _SUPER)


def _q4_k(data: _Bytes) -> Floats:
    return _with_minima(data, _halves(data[:, 16:144].reshape(-1, 4, 32)).reshape(-1, 8, 32))


def _q5_k(data: _Bytes) -> Floats:
    """Bit s of byte i of the high bits belongs to value i of sub-block s."""
    low = _halves(data[:, 48:176].reshape(-1, 4, 32)).reshape(-1, 8, 32)
    shifts = np.arange(8, dtype=np.uint8)[None, :, None]
    high = (data[:, None, 16:48] >> shifts & np.uint8(1)) << np.uint8(4)
    return _with_minima(data, low | high)


def _q6_k(data: _Bytes) -> Floats:
    """128 bytes of low halves, 64 bytes with four upper pairs of bits each, 16 int8 scales, d."""
    low = _halves(data[:, :128].reshape(-1, 2, 64)).reshape(-1, 2, 4, 32)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8)[None, None, :, None]
    high = data[:, 128:192].reshape(-1, 2, 1, 32) >> shifts & 3
    q = (low | (high << 4)).astype(np.float32) - 32
    scales = _f16(data, 208) * np.ascontiguousarray(data[:, 192:208]).view(np.int8).astype(np.float32)
    values: Floats = q.reshape(-1, 16, 16) * scales[:, :, None]
    return values.reshape(len(data), _SUPER)


FORMATS: Final[dict[int, BlockFormat]] = {  # by the number that a file has for them
    0: BlockFormat("F32", 1, 4, _plain("<f4")),
    1: BlockFormat("F16", 1, 2, _plain("<f2")),
    2: BlockFormat("Q4_0", 32, 18, _q4_0),
    3: BlockFormat("Q4_1", 32, 20, _q4_1),
    6: BlockFormat("Q5_0", 32, 22, _q5_0),
    7: BlockFormat("Q5_1", 32, 24, _q5_1),
    8: BlockFormat("Q8_0", 32, 34, _q8_0),
    12: BlockFormat("Q4_K", _SUPER, 144, _q4_k),
    13: BlockFormat("Q5_K", _SUPER, 176, _q5_k),
    14: BlockFormat("Q6_K", _SUPER, 210, _q6_k),
    30: BlockFormat("BF16", 1, 2, _bf16),
}
OTHER_FORMATS: Final[dict[int, str]] = {  # known by name alone, for the message
    10: "Q2_K",
    11: "Q3_K",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    20: "IQ4_NL",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    28: "F64",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
}


def dequantise(form: BlockFormat, data: bytes) -> Floats:
    """The numbers of whole blocks, [numbers]. Broken scales give NaN or infinity, which the import refuses."""
    blocks: npt.NDArray[Any] = np.frombuffer(data, np.uint8).reshape(-1, form.size_bytes)
    with np.errstate(all="ignore"):
        return form.dequantise(blocks).reshape(-1)
