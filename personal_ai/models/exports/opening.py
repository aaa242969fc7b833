"""An ONNX file or the folder around one, as a foreign model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.checkpoint import Checkpoint
from personal_ai.models.exports.config import CONFIG_FILE, GENAI_CONFIG_FILE, export_config
from personal_ai.models.exports.roles import Roles
from personal_ai.models.exports.tensors import Part, Readable
from personal_ai.models.fields import Fields
from personal_ai.models.folder import card_licence
from personal_ai.models.foreign import ForeignModel
from personal_ai.models.quantisation import Floats
from personal_ai.models.tensor_file import Tensor
from personal_ai.models.words import folder_words

SUFFIX: Final = ".onnx"
_INNER_FOLDER: Final = "onnx"  # where onnx-community puts them
_PREFERRED: Final = ("model.onnx", "model_fp16.onnx", "decoder_model.onnx", "model_q4.onnx", "model_q4f16.onnx")
_MAX_GRAPH_SIZE_BYTES = 600 << 20  # larger ones keep their weights beside them; the whole of it lies in memory twice
_MAX_SIZE = 1 << 24


class ExportWeights:
    """A `TensorFile`."""

    def __init__(self, tensors: Mapping[str, Readable]) -> None:
        self._tensors = tensors
        self.tensors: Mapping[str, Tensor] = tensors

    def rows(self, name: str, start: int, stop: int) -> Floats:
        return self._tensors[name].rows(start, stop)

    def close(self) -> None:
        """Nothing is held open."""


def holds_export(source: Path) -> bool:
    """Whether this is an ONNX file, or a folder with one and with what says what it is."""
    if source.is_file():
        return source.suffix == SUFFIX
    configured = (source / CONFIG_FILE).is_file() or (source / GENAI_CONFIG_FILE).is_file()
    return configured and bool(_files(source))


@contextmanager
def open_export(source: Path) -> Iterator[ForeignModel]:
    """Raises FormatError, UnsupportedModelError."""
    path = source if source.is_file() else _chosen(source)
    folder = _home(path)
    graph = _graph(path)
    roles = Roles(graph, path.parent)
    config = export_config(folder, graph, roles)
    checkpoint = Checkpoint((ExportWeights(_unmerged(roles.tensors, config)),))
    yield ForeignModel(config, checkpoint, lambda: folder_words(folder, config), card_licence(folder))


def _files(folder: Path) -> list[Path]:
    """The ONNX files of a folder, those at its top before those of its inner folder."""
    return [path for place in (folder, folder / _INNER_FOLDER) for path in sorted(place.glob(f"*{SUFFIX}"))]


def _chosen(folder: Path) -> Path:
    files = _files(folder)
    named = [path for name in _PREFERRED for path in files if path.name == name]
    if named or len(files) == 1:
        return (named or files)[0]
    names = ", ".join(path.name for path in files)[:300]
    raise UnsupportedModelError(
        f"It is not clear which ONNX file of {folder.name} is meant.",
        (f"There are {names}.",),
        next_step="Choose the file.",
    )


def _home(path: Path) -> Path:
    """The folder with the config and the words."""
    configured = any((path.parent / name).is_file() for name in (CONFIG_FILE, GENAI_CONFIG_FILE))
    home = path.parent if configured or path.parent.name != _INNER_FOLDER else path.parent.parent
    if not any((home / name).is_file() for name in (CONFIG_FILE, GENAI_CONFIG_FILE)):
        raise UnsupportedModelError(
            "This model cannot be imported.",
            (f"There is neither {CONFIG_FILE} nor {GENAI_CONFIG_FILE} beside {path.name}.",),
            next_step="Put the original model's config.json and tokenizer files beside the ONNX file.",
        )
    return home


def _graph(path: Path) -> onnx.GraphProto:
    try:
        if path.stat().st_size > _MAX_GRAPH_SIZE_BYTES:
            raise UnsupportedModelError(
                "This model cannot be imported.",
                (f"{path.name} is larger than {_MAX_GRAPH_SIZE_BYTES >> 20} MiB.",),
                next_step="Export it with its weights in a file beside it (external data).",
            )
        graph = onnx.load(str(path), load_external_data=False).graph
    except (DecodeError, ValueError, OSError) as error:
        raise FormatError(f"{path.name} cannot be read as an ONNX file.") from error
    if not all(isinstance(text, str) for text in _texts(graph)):  # protobuf gives bytes for what is no UTF-8
        raise FormatError(f"{path.name} holds names that are no text.")
    return graph


def _texts(graph: onnx.GraphProto) -> Iterator[object]:
    """Every text of the graph that is looked at."""
    for proto in graph.initializer:
        yield proto.name
        yield from (text for entry in proto.external_data for text in (entry.key, entry.value))
    for node in graph.node:
        yield from (node.name, node.op_type, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
        yield from (text for entry in node.metadata_props for text in (entry.key, entry.value))


def _unmerged(tensors: Mapping[str, Readable], config: Fields) -> dict[str, Readable]:
    """Matrices that an exporter put side by side, apart again; Phi-3 has them so itself."""
    if config.raw("model_type") in ("gpt2", "phi3"):
        return dict(tensors)
    heads = config.integer("num_attention_heads", 1, _MAX_SIZE)
    size = config.integer("head_dim", 1, _MAX_SIZE, config.integer("hidden_size", 1, _MAX_SIZE) // heads)
    queries, keys = heads * size, config.integer("num_key_value_heads", 1, _MAX_SIZE, heads) * size
    inner = config.integer("intermediate_size", 1, _MAX_SIZE)
    merged = {
        "qkv_proj": (("q_proj", queries), ("k_proj", keys), ("v_proj", keys)),
        "gate_up_proj": (("gate_proj", inner), ("up_proj", inner)),
    }
    apart: dict[str, Readable] = {}
    for name, tensor in tensors.items():
        path, _, kind = name.rpartition(".")
        stem, _, last = path.rpartition(".")
        first = 0
        for part, count in merged.get(last, ()):
            apart[f"{stem}.{part}.{kind}"] = Part(tensor, first, count)
            first += count
        if last not in merged:
            apart[name] = tensor
    return apart
