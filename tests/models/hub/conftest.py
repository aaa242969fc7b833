"""A hub on loopback with one small model, a client that waits for it however busy the computer is, and a brief one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from personal_ai.models.hub.connection import Hub, Patience
from tests.support.checkpoints import Shape, config
from tests.support.hub import LoopbackHub

MODEL = "maker/small"
TOKEN = "hf_secret"  # a word to look for, no secret
PATIENT = Patience(
    connect_timeout_s=60.0,
    stall_timeout_s=60.0,
    slow_window_s=60.0,
    tries=2,
    progress_bytes=1000,
    first_delay_s=0.01,
    longest_delay_s=2.0,
)
BRIEF = replace(PATIENT, stall_timeout_s=0.3, slow_bytes_per_s=10_000.0, slow_window_s=0.2)


def files() -> dict[str, bytes]:
    """A model's files; the weights are noise, because nothing reads them here."""
    return {
        "config.json": json.dumps(config(Shape())).encode(),
        "tokenizer.json": b'{"words": "many"}' * 200,
        "README.md": b"---\nlicense: apache-2.0\n---\n",
        "model.safetensors": bytes(range(256)) * 4000,
        "pytorch_model.bin": b"pickle" * 1000,
        "training.log": b"long ago",
    }


@pytest.fixture
def loopback() -> Iterator[LoopbackHub]:
    with LoopbackHub() as made:
        made.add(MODEL, files(), cardData={"license": "apache-2.0"}, tags=["license:apache-2.0"])
        yield made


@pytest.fixture
def hub(loopback: LoopbackHub) -> Iterator[Hub]:
    with Hub(loopback.endpoint, patience=PATIENT) as made:
        yield made


@pytest.fixture
def brief_hub(loopback: LoopbackHub) -> Iterator[Hub]:
    """For what comes too slowly or not at all."""
    with Hub(loopback.endpoint, patience=BRIEF) as made:
        yield made
