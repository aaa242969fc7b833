"""Whether a model is worth fetching or deploying: on this computer, on the way to a canister, and in it.

The same numbers as the engine's and the deployment's: sizes from the compiler's planning, instructions from the
engine's measured costs, prices and pace from the network's profile, speed from one measurement on this computer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from personal_ai.canister.heap import heap_need
from personal_ai.canister.instructions import pace
from personal_ai.canister.upload import CHUNK_SIZE_BYTES
from personal_ai.common.paths import resource
from personal_ai.compiler.compile import Foretold
from personal_ai.compiler.foretelling import foretell
from personal_ai.compiler.obstacles import ModelObstaclesError
from personal_ai.compiler.sizes import kept_bits
from personal_ai.deployments.plan import CALL_INSTRUCTIONS, CANISTER_WASM, Contents, Plan, Replies, plan, usd
from personal_ai.deployments.upload import PARALLEL_CHUNKS
from personal_ai.ic.profile import NetworkProfile
from personal_ai.models.decoder import Decoder, weights
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.speed import Speed
from personal_ai.models.tensor_shapes import package_size_bytes

Verdict = Literal["well", "slowly", "not"]

READING_TOKENS_PER_S = 4.0  # about how fast people read
PATIENCE_TOKENS_PER_S = 0.5  # below it a reply of a hundred words takes over four minutes
_RUNTIME_SIZE_BYTES = 200 << 20  # onnxruntime itself, and what it works in
_CACHE_VALUE_SIZE_BYTES = 4  # keys and values are f32 on this computer
_MEMORY_SHARE = 0.8  # of this computer's memory: the rest belongs to its other programs

PRIVACY_HERE = "On this computer: no word leaves it."
PRIVACY_CANISTER = (
    "In a canister: you alone can use and change it, but the operators of the network's nodes could read its memory, "
    "words and weights included."
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model as far as its config.json and its list of files tell. words_size_bytes: of tokenizer and template."""

    name: str
    licence: str
    decoder: Decoder
    words_size_bytes: int


@dataclass(frozen=True, slots=True)
class Here:
    """On this computer. tokens_per_s: None where the computer's speed was not measured."""

    verdict: Verdict
    reason: str
    size_bytes: int
    memory_bytes: int
    tokens_per_s: float | None


@dataclass(frozen=True, slots=True)
class InCanister:
    """In a canister of its own, at the profile's pace and prices; what cannot be deployed has none of the figures.

    conversations: of the whole context that it holds at a time. kept_bits: of each number of their keys and values.
    """

    verdict: Verdict
    reason: str
    context_length: int = 0
    heap_bytes: int = 0
    conversations: int = 0
    kept_bits: int = 0
    instructions_per_token: int = 0
    tokens_per_call: int = 0
    reply_s: float = 0.0
    tokens_per_s: float = 0.0
    upload_s: float = 0.0
    plan: Plan | None = None

    @property
    def upload_usd(self) -> float:
        return usd(self.plan.cycles("upload")) if self.plan else 0.0

    @property
    def month_usd(self) -> float:
        """Of storage, for 30 days."""
        return usd(30 * self.plan.rent_per_day) if self.plan else 0.0


@dataclass(frozen=True, slots=True)
class Fit:
    """Everything that is said of one model in one quantisation."""

    name: str
    licence: str
    quantisation: Quantisation
    parameters: int
    here: Here
    canister: InCanister
    privacy: tuple[str, str] = (PRIVACY_HERE, PRIVACY_CANISTER)


def candidate_of(package: ModelPackage) -> Candidate:
    """A package of the library as a candidate."""
    words = sum((package.folder / name).stat().st_size for name in package.files_without_weights())
    return Candidate(package.name, package.manifest.licence, package.manifest.decoder, words)


def fit(
    candidate: Candidate,
    quantisation: Quantisation,
    profile: NetworkProfile,
    *,
    speed: Speed | None,
    memory_bytes: int | None,
) -> Fit:
    """What the candidate would be like. memory_bytes: of this computer; None where it is not known."""
    parameters = sum(weight.size for weight in weights(candidate.decoder))
    here = _here(candidate, quantisation, speed, memory_bytes)
    canister = _in_canister(candidate, quantisation, profile)
    return Fit(candidate.name, candidate.licence, quantisation, parameters, here, canister)


def _here(candidate: Candidate, quantisation: Quantisation, speed: Speed | None, memory_bytes: int | None) -> Here:
    decoder = candidate.decoder
    size_bytes = package_size_bytes(decoder, quantisation, candidate.words_size_bytes)
    cached_values = 2 * decoder.layer_count * decoder.key_value_size * decoder.context_length
    needed_bytes = size_bytes + _CACHE_VALUE_SIZE_BYTES * cached_values + _RUNTIME_SIZE_BYTES
    rate = None if speed is None else speed.tokens_per_s(quantisation, _weights_per_token(decoder))
    verdict, reason = _paced(rate) if rate is not None else ("well", "Its speed here has not been measured.")
    if memory_bytes is not None and needed_bytes > _MEMORY_SHARE * memory_bytes:
        verdict = "not"
        reason = f"It needs {_gb(needed_bytes)} of memory; this computer has {_gb(memory_bytes)} in all."
    return Here(verdict, reason, size_bytes, needed_bytes, rate)


def _weights_per_token(decoder: Decoder) -> int:
    """Weights that a token of a reply is multiplied with; of the embedding only where it is the head too."""
    matrices = sum(weight.size for weight in weights(decoder) if weight.kind == "matrix")
    return matrices + (decoder.vocabulary_size * decoder.hidden_size if decoder.tied_embedding else 0)


def _in_canister(candidate: Candidate, quantisation: Quantisation, profile: NetworkProfile) -> InCanister:
    try:
        program = foretell(candidate.decoder, quantisation)
    except ModelObstaclesError as error:
        return InCanister("not", error.reasons[0])
    contents = Contents(
        resource(CANISTER_WASM).stat().st_size, program.sizes.size_bytes + candidate.words_size_bytes, program
    )
    replies = Replies()
    speed = pace(program, profile)
    need = heap_need(program.sizes)
    reply_s = _reply_s(program, profile, replies)
    verdict, reason = _paced(replies.reply_tokens / reply_s)
    tokens_per_call = speed.tokens_per_message(profile.limits.update_instructions)
    if tokens_per_call < 1:
        verdict, reason = "not", "One message of the network is too short for a single token of it."
    return InCanister(
        verdict,
        reason,
        context_length=program.sizes.context_length,
        heap_bytes=need.first_bytes,
        conversations=need.conversations,
        kept_bits=kept_bits(program.kept),
        instructions_per_token=round(speed.token),
        tokens_per_call=tokens_per_call,
        reply_s=reply_s,
        tokens_per_s=replies.reply_tokens / reply_s,
        upload_s=_upload_s(contents.upload_bytes, profile),
        plan=plan(profile, contents, replies=replies),
    )


def _reply_s(program: Foretold, profile: NetworkProfile, replies: Replies) -> float:
    """At the profile's pace: each message waits to be taken in, then works in rounds."""
    half_way = replies.prompt_tokens + replies.reply_tokens // 2
    speed = pace(program, profile, cached=half_way, prompt=replies.prompt_tokens)
    asked = replies.prompt_tokens, replies.reply_tokens
    messages = speed.messages(*asked, CALL_INSTRUCTIONS)
    rounds = math.ceil(speed.reply_instructions(*asked, CALL_INSTRUCTIONS) / profile.pacing.slice_instructions)
    return messages * profile.pacing.ingress_latency_s + max(rounds, messages) * profile.pacing.round_s


def _upload_s(upload_bytes: int, profile: NetworkProfile) -> float:
    """What the network takes; a slow connection takes longer."""
    turns = math.ceil(math.ceil(upload_bytes / CHUNK_SIZE_BYTES) / PARALLEL_CHUNKS)
    return turns * (profile.pacing.ingress_latency_s + profile.pacing.round_s)


def _paced(tokens_per_s: float) -> tuple[Verdict, str]:
    rate = f"about {tokens_per_s:,.{0 if tokens_per_s >= 100 else 1}f} tokens/s"  # it is no closer than that
    if tokens_per_s >= READING_TOKENS_PER_S:
        return "well", f"It writes {rate}, as fast as people read or faster."
    if tokens_per_s >= PATIENCE_TOKENS_PER_S:
        return "slowly", f"It writes {rate}; people read about {READING_TOKENS_PER_S:.0f}."
    return "not", f"It writes {rate}: a hundred words take over four minutes."


def _gb(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
