"""Texts as vectors, on this computer through onnxruntime, or with the same tokens anywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from personal_ai.common.errors import DamagedFileError, FormatError
from personal_ai.models.encoders.graph import EMBEDDING, TOKEN_TYPES, TOKENS, inputs
from personal_ai.models.manifest import TOKENIZER_FILE
from personal_ai.models.package import ModelPackage

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # noqa: TID251 -- for the type checker alone

Vector = npt.NDArray[np.float32]
_LOG_ERRORS_ONLY = 3


class TextTokens:
    """The inputs of an encoder's graph, made of texts. A text that is too long is cut."""

    def __init__(self, package: ModelPackage) -> None:
        """Raises BadInputError where the package is no encoder, DamagedFileError, FormatError."""
        self._encoder = package.manifest.encoder
        self._tokenizer = text_tokenizer(package.read(TOKENIZER_FILE), self._encoder.context_length)

    def of(self, text: str) -> dict[str, npt.NDArray[np.int64]]:
        """int64 [1, sequence], by the names of the graph's inputs."""
        encoding = self._tokenizer.encode(text.encode(errors="replace").decode())
        ids = encoding.ids or [0]  # a tokenizer without special tokens makes nothing of nothing
        types = encoding.type_ids or [0]
        arrays = {TOKENS: np.array([ids], dtype=np.int64), TOKEN_TYPES: np.array([types], dtype=np.int64)}
        return {name: arrays[name] for name in inputs(self._encoder)}


class Embedder:
    """One loaded encoder."""

    def __init__(self, package: ModelPackage) -> None:
        """Raises BadInputError where the package is no encoder, DamagedFileError, FormatError."""
        self._tokens = TextTokens(package)
        self._session = _load(package)

    def embed(self, text: str) -> Vector:
        """The text's embedding, [hidden size]."""
        (embedding,) = self._session.run([EMBEDDING], self._tokens.of(text))
        vector: Vector = np.asarray(embedding, dtype=np.float32).reshape(-1)
        return vector


def text_tokenizer(tokenizer_json: bytes, context_length: int) -> Tokenizer:
    """The tokenizer of a package, which adds the special tokens of a text and cuts what is too long.

    Raises FormatError.
    """
    try:
        tokenizer = Tokenizer.from_buffer(tokenizer_json)
        tokenizer.no_padding()
        tokenizer.enable_truncation(context_length)
    except Exception as error:  # the library raises nothing more special
        raise FormatError(f"{TOKENIZER_FILE} cannot be used as a tokenizer.") from error
    return tokenizer


def _load(package: ModelPackage) -> InferenceSession:
    from personal_ai.models.runtime import onnxruntime  # noqa: PLC0415 -- slow, and only for those who answer here

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _LOG_ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(str(package.onnx_path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        raise DamagedFileError(
            f"The model {package.name} cannot be loaded: its files are damaged.",
            not_lost="Your conversations and keys are not touched.",
            next_step="Remove the model and import it again.",
        ) from error
