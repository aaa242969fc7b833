"""Foreign bytes: whatever a GGUF file holds, it is read or refused with a typed error, within bounds."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import BadInputError, FormatError, UnknownVersionError
from personal_ai.models.detection import open_foreign
from personal_ai.models.gguf.reader import GgufFile
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.gguf_files import write_gguf


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("gguf")
    source = write_checkpoint(folder / "source", Shape(hidden=32, vocabulary=300, layers=1, intermediate=32))
    return write_gguf(source, folder / "model.gguf", "Q8_0").read_bytes()


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def head(*parts: bytes, tensors: int = 0, facts: int = 0, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, facts) + b"".join(parts)


def tensor(*shape: int, kind: int = 0, offset: int = 0) -> bytes:
    return text("t") + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def opened(folder: Path, content: bytes) -> GgufFile:
    path = folder / "m.gguf"
    path.write_bytes(content)
    return GgufFile(path)


def test_facts_of_every_kind_are_read(tmp_path: Path) -> None:
    scalars = [("B", 0, 200), ("b", 1, -3), ("H", 2, 4), ("h", 3, -4), ("I", 4, 5), ("i", 5, -5), ("f", 6, 0.5)]
    scalars += [("?", 7, True), ("Q", 10, 1 << 60), ("q", 11, -(1 << 60)), ("d", 12, 0.1)]
    facts = [text(form) + struct.pack(f"<I{form}", kind, value) for form, kind, value in scalars]
    facts += [text("text") + struct.pack("<I", 8) + text("Grüße")]
    facts += [text("texts") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("")]
    facts += [text("list") + struct.pack("<IIQ2h", 9, 3, 2, -1, 1)]
    with closing(opened(tmp_path, head(*facts, facts=len(facts)))) as file:
        found = file.facts
    expected = {form: value for form, _, value in scalars}
    assert found == expected | {"text": "Grüße", "texts": ["a", ""], "list": [-1, 1]}


def test_rows_lie_where_the_file_says(tmp_path: Path) -> None:
    numbers = np.arange(12, dtype=np.float32)
    listed = head(tensor(3, 4, offset=64), tensors=1)
    with closing(opened(tmp_path, listed + bytes(-len(listed) % 32 + 64) + numbers.tobytes())) as file:
        assert file.tensors["t"].shape == (4, 3)
        assert np.array_equal(file.rows("t", 1, 3), numbers.reshape(4, 3)[1:3])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"PK" + bytes(100),
        head(tensors=1 << 40),
        head(facts=1 << 40),
        head(facts=1),
        head(struct.pack("<Q", 1 << 62), facts=1),
        head(text("a") + struct.pack("<I", 99), facts=1),
        head(text("a") + struct.pack("<IIQ", 9, 8, 1 << 62), facts=1),
        head(text("a") + struct.pack("<IIQ", 9, 4, 1 << 63), facts=1),
        head(text("a") + struct.pack("<IIQ", 9, 9, 1), facts=1),
        head(text("a") + struct.pack("<IB", 0, 1), text("a") + struct.pack("<IB", 0, 1), facts=2),
        head(text("general.alignment") + struct.pack("<II", 4, 0), facts=1),
        head(tensor(), tensors=1),
        head(tensor(1, 1, 1, 1, 1), tensors=1),
        head(tensor(0), tensors=1),
        head(tensor(1 << 62, 1 << 62), tensors=1),
        head(tensor(4), tensors=1),
        head(tensor(4, offset=1 << 63), tensors=1),
        head(tensor(16, 2, kind=8), bytes(100), tensors=1),
        head(tensor(1), tensor(1), bytes(100), tensors=2),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(FormatError):
        opened(tmp_path, content)


@pytest.mark.parametrize("version", [1, 4, 0x03000000])
def test_other_versions_are_refused_by_their_number(tmp_path: Path, version: int) -> None:
    with pytest.raises(UnknownVersionError, match=f"version {version};"):
        opened(tmp_path, head(version=version))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(FormatError):
        GgufFile(tmp_path / "none.gguf")


def test_lengths_cost_nothing_before_they_are_checked(tmp_path: Path) -> None:
    lists = head(text("a") + struct.pack("<IIQ", 9, 12, 1 << 59), bytes(1000), facts=1)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            opened(tmp_path, lists)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def _use(folder: Path, content: bytes) -> None:
    """All of it that an import would look at."""
    path = folder / "m.gguf"
    path.write_bytes(content)
    try:
        with open_foreign(path) as model:
            model.words()
            model.checkpoint.has_head  # noqa: B018
    except BadInputError:
        pass


@settings(max_examples=150)
@given(data=st.data())
def test_changed_files_are_read_or_refused(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    changed = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(4, 14_000))] = data.draw(st.integers(0, 255))
    _use(tmp_path, bytes(changed[: data.draw(st.integers(4, len(changed)))]))
