"""One question for each kind of model, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from personal_ai.canister.client import CanisterClient, Finish, Generated
from personal_ai.canister.tensors import Tensor
from personal_ai.common.errors import CanisterRefusedError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments import health
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library, starter
from personal_ai.models.tokenizer import ChatTokenizer
from tests.support.encoders import EncoderShape, write_encoder_checkpoint


@dataclass
class _Canister:
    """Answers as it is told to, and keeps what it was asked."""

    tokens: tuple[int, ...] = ()
    finish: Finish = "end"
    number: float = 0.0
    asked: list[Any] = field(default_factory=list)

    def generate(self, *, append: list[int], **_: object) -> Generated:
        self.asked.append(append)
        return Generated(self.tokens, len(append), self.finish, 1)

    def run(self, inputs: Mapping[str, Tensor], **_: object) -> dict[str, Tensor]:
        self.asked.append(inputs)
        return {"embedding": np.full((1, 4), self.number, dtype=np.float32)}

    @property
    def client(self) -> CanisterClient:
        return cast("CanisterClient", self)


def test_a_chat_model_answers_with_a_word_or_is_still_reading() -> None:
    for canister in (_Canister(tokens=(5,)), _Canister(finish="budget")):
        health.ask(canister.client, starter(), Cancel())
        decoder = ChatTokenizer(starter()).decoder()
        assert "Hello" in "".join(decoder.push(token) for token in canister.asked[0])
    with pytest.raises(CanisterRefusedError, match="does not answer"):
        health.ask(_Canister().client, starter(), Cancel())


def test_an_embedding_model_answers_with_numbers(tmp_path: Path) -> None:
    folder = write_encoder_checkpoint(tmp_path / "tiny", EncoderShape(hidden=32, layers=1))
    package = import_folder(folder, Library(tmp_path / "models"), on_progress=ignore_progress, cancel=Cancel())
    canister = _Canister(number=0.5)
    health.ask(canister.client, package, Cancel())
    assert canister.asked
    with pytest.raises(CanisterRefusedError, match="does not answer"):
        health.ask(_Canister(number=float("nan")).client, package, Cancel())
