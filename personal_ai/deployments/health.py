"""Whether the model in a canister answers: one short question, whatever kind of model it is."""

from __future__ import annotations

import hashlib

import numpy as np

from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import CanisterRefusedError
from personal_ai.common.jobs import Cancel
from personal_ai.models.encoders.embedder import TextTokens
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from personal_ai.models.tokenizer import ChatTokenizer

_QUESTION = "Hello"
_CONVERSATION = b"health"
_TOKENS_MOST = 4


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
