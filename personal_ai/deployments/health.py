"""Whether the model in a canister answers: by what is said of it, or asked a short question, whatever its kind."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import numpy as np

from personal_ai.canister.client import CanisterClient, ModelStatus
from personal_ai.canister.client import CanisterStatus as EngineStatus
from personal_ai.common.errors import CanisterRefusedError, FormatError, RejectedError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments import cycles_needed, draining
from personal_ai.ic.management import CanisterStatus, RunState
from personal_ai.models.encoders.embedder import TextTokens
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from personal_ai.models.tokenizer import ChatTokenizer

_QUESTION = "Hello"
_CONVERSATION = b"health"
_TOKENS_MOST = 4
_PROGRAM_SAID_NO = (4, 5)  # reject codes: the program has no such method, or failed


class Health(StrEnum):
    """What can be expected of a canister, by what is said of it."""

    ANSWERING = "answering"
    LOADING = "loading"  # the model is on its way into the heap
    FAILED = "failed"  # it did not get there
    EMPTY = "empty"  # no engine, or no model
    STOPPED = "stopped"
    FROZEN = "frozen"  # too few cycles: it answers nothing, and keeps all it has
    LEAVING = "leaving"  # deleting it was begun: its engine and its model are gone, its cycles on their way out
    OUTDATED = "outdated"  # the program in it speaks no interface that is known here


def diagnose(client: CanisterClient, status: CanisterStatus) -> tuple[Health, EngineStatus | None]:
    """The health, and what the engine says of itself where it can be asked.

    Free of charge. Raises what the network raises, but not where the program in the canister is to blame.
    """
    if draining.begun(status):
        return Health.LEAVING, None
    if status.state is not RunState.RUNNING:
        return Health.STOPPED, None
    if status.cycles <= cycles_needed.freezing_limit(status):
        return Health.FROZEN, None
    if status.module_hash is None:
        return Health.EMPTY, None
    try:
        said = client.status()
    except (FormatError, RejectedError) as error:
        if isinstance(error, RejectedError) and error.reject_code not in _PROGRAM_SAID_NO:
            raise
        return Health.OUTDATED, None
    return _of_model(said.model), said


def _of_model(model: ModelStatus | None) -> Health:
    if model is None:
        return Health.EMPTY
    if model.failure is not None:
        return Health.FAILED
    return Health.LOADING if model.loaded is None else Health.ANSWERING


def ask(client: CanisterClient, package: ModelPackage, cancel: Cancel) -> None:
    """Raises CanisterRefusedError where the answer is none, and what the canister and the network raise."""
    if isinstance(package.manifest.network, Encoder):
        answer = client.run(TextTokens(package).of(_QUESTION), cancel=cancel)
        healthy = all(np.isfinite(values).all() for values in answer.values())
    else:
        answered = client.generate(
            conversation=_CONVERSATION,
            keep=0,
            keep_hash=hashlib.sha256(b"").digest(),
            append=ChatTokenizer(package).encode_chat([Message("user", _QUESTION)]),
            max_tokens=_TOKENS_MOST,
            sampling=Sampling(),
            cancel=cancel,
        )
        healthy = bool(answered.tokens) or answered.finish == "budget"  # a large model is still reading
    if not healthy:
        raise CanisterRefusedError("The model in the canister does not answer.", variant="unhealthy")
