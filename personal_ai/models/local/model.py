"""A model that answers on this computer, through onnxruntime."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import BadInputError, DamagedFileError, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.models.local.devices import Verdict
from personal_ai.models.local.lookup import PromptLookup
from personal_ai.models.local.session import Session, open_session
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling, sample

_ROWS_AT_ONCE = 256  # a long prompt goes in pieces, so that a cancel is heard soon and memory stays bounded

Finish = Literal["end", "max_tokens"]


class NotEnoughMemoryError(UserFacingError):
    """The model does not fit into this computer's memory."""


@dataclass(frozen=True, slots=True)
class LocalReply:
    """The new tokens, the end token included, and why there are no more."""

    tokens: tuple[int, ...]
    finish: Finish


class LocalModel:
    """One loaded model with the cache of the last context it saw. Calls from several threads take turns."""

    def __init__(self, package: ModelPackage, *, threads: int | None = None, guess_ahead: bool = True) -> None:
        """threads: None leaves it to onnxruntime. guess_ahead: as `lookup` does, which is faster where words repeat.

        Raises DamagedFileError when the model cannot be loaded.
        """
        self._decoder = package.manifest.decoder
        self._end_tokens = frozenset(package.manifest.end_tokens)
        self._session: Session | None
        self._session, self.devices = _load(package, threads)
        self._guess_ahead = guess_ahead
        self._lock = threading.Lock()
        self._seen: list[int] = []

    def generate(
        self,
        tokens: Sequence[int],
        *,
        max_tokens: int,
        sampling: Sampling,
        on_token: Callable[[int], None],
        cancel: Cancel,
    ) -> LocalReply:
        """Continues `tokens` until an end token, `max_tokens` new ones or the end of the context.

        The same arguments give the same tokens. Each is told to `on_token` as it comes, the end token too.
        Raises BadInputError for tokens that the model does not have or that exceed the context, Cancelled.
        """
        context = list(tokens)
        end = min(len(context) + max_tokens, self._decoder.context_length)
        finish: Finish = "max_tokens"
        with self._lock:
            for logits in self._following(context, end, cancel):
                token = sample(logits, context, sampling)
                context.append(token)
                on_token(token)
                if token in self._end_tokens:
                    finish = "end"
                    break
        return LocalReply(tuple(context[len(tokens) :]), finish)

    def logits(self, tokens: Sequence[int]) -> npt.NDArray[np.float32]:
        """The logits [vocabulary] of the token after `tokens`. Raises BadInputError."""
        with self._lock:
            return self._read(list(tokens), Cancel()).copy()

    def close(self) -> None:
        """Gives the memory back; the model cannot be used any more."""
        with self._lock:
            self._session = None

    def _following(self, context: list[int], end: int, cancel: Cancel) -> Iterator[npt.NDArray[np.float32]]:
        """The logits after `context`, and again after each token that is appended to it, until it has `end` tokens."""
        logits = self._read(context, cancel)
        if len(context) < end:
            yield logits
        lookup = PromptLookup()
        while (known := len(context)) < end:
            cancel.raise_if_cancelled()
            guess = lookup.guess(context)[: end - known - 1] if self._guess_ahead else []
            rows, right = self._step([context[-1], *guess], rows=1 + len(guess)), 0
            yield rows[0]
            while right < len(guess) and context[-1] == guess[right]:
                cancel.raise_if_cancelled()
                right += 1
                yield rows[right]
            lookup.learn(len(guess), right)
            del self._seen[known + right :]

    def _read(self, context: list[int], cancel: Cancel) -> npt.NDArray[np.float32]:
        """The logits after `context`, computed for as little of it as the cache does not hold."""
        self._check(context)
        self._seen = self._seen[: _common_length(self._seen, context[:-1])]
        while (rest := len(context) - len(self._seen)) > _ROWS_AT_ONCE:
            cancel.raise_if_cancelled()
            self._step(context[len(self._seen) :][:_ROWS_AT_ONCE], rows=0)
        cancel.raise_if_cancelled()
        logits: npt.NDArray[np.float32] = self._step(context[-rest:], rows=1)[0]
        return logits

    def _step(self, tokens: list[int], rows: int) -> npt.NDArray[np.float32]:
        """Feeds tokens, and gives the last rows' logits; what the session holds beyond `_seen` is overwritten."""
        if self._session is None:
            raise UserFacingError("The model was closed.")
        try:
            logits = self._session.step(tokens, len(self._seen), rows)
        except Exception as error:
            raise _no_memory(error) or error from error
        self._seen += tokens
        return logits

    def _check(self, context: list[int]) -> None:
        if not context or not all(0 <= token < self._decoder.vocabulary_size for token in context):
            raise BadInputError("The model was given no tokens, or tokens that it does not have.")
        if len(context) > self._decoder.context_length:
            raise BadInputError(
                f"The conversation has {len(context):,} tokens; the model can follow {self._decoder.context_length:,}.",
                next_step="Begin a new conversation.",
            )


def _load(package: ModelPackage, threads: int | None) -> tuple[Session, list[Verdict]]:
    try:
        return open_session(package.manifest.decoder, package.onnx_path, threads=threads)
    except Exception as error:  # onnxruntime's own exceptions share no base but this
        raise _no_memory(error) or DamagedFileError(
            f"The model {package.name} cannot be loaded: its files are damaged.",
            not_lost="Your conversations and keys are not touched.",
            next_step="Remove the model and import it again.",
        ) from error


def _no_memory(error: Exception) -> NotEnoughMemoryError | None:
    """The error in our words where memory ran out; onnxruntime has no type for that, only a text."""
    if not isinstance(error, MemoryError) and "alloc" not in str(error):
        return None
    return NotEnoughMemoryError(
        "This computer has too little free memory for the model.",
        not_lost="Your conversations are kept.",
        next_step="Close other programs, or choose a smaller model.",
    )


def _common_length(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = zip(left, right, strict=False)
    return next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))
