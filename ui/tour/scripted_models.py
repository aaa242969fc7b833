"""The models of the scripted core: figures like those of real ones, and hooks for every outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from personal_ai.app.model_room import Listing, Offer
from personal_ai.app.workspace import ModelSummary
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Cancel, Progress, ProgressCallback
from personal_ai.deployments.fit import Candidate, Fit, fit
from personal_ai.ic.profile import IC
from personal_ai.models.catalogue import Entry
from personal_ai.models.decoder import Decoder, Rope
from personal_ai.models.hub.connection import PUBLIC_ENDPOINT, checked_endpoint
from personal_ai.models.hub.planning import HubFile, HubModel
from personal_ai.models.loss import Loss
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.speed import Speed

SMOL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
COMMIT = "7e27bd9f95328f0f3b08261d1252705110c806f8"
_SPEED = Speed({"int8": 4.1e9, "int4": 5.2e9})
_MEMORY_BYTES = 16_000_000_000
STARTER = ModelSummary("starter", "Starter guide (knows only this app)", 2_480_000, 512, "int8", licence="Apache-2.0")
SMOL = ModelSummary(
    "smollm2-135m-instruct", "SmolLM2-135M-Instruct", 148_000_000, 2048, "int8", False, "apache-2.0",
    Loss(512, 14.83, 14.79, 0.982),
)  # fmt: skip
EMBEDDER = ModelSummary("minilm-l6", "all-MiniLM-L6-v2", 24_300_000, 256, "int8", True, "apache-2.0")


def decoder(layers: int = 30, hidden: int = 576) -> Decoder:
    """Sizes of a small Llama."""
    return Decoder(
        architecture="llama",
        vocabulary_size=49152,
        hidden_size=hidden,
        layer_count=layers,
        head_count=9,
        key_value_head_count=3,
        head_size=hidden // 9,
        intermediate_size=hidden * 8 // 3,
        context_length=2048,
        norm_epsilon=1e-5,
        activation="silu",
        rope=Rope(100_000.0),
        tied_embedding=True,
        qkv_bias=False,
        output_bias=False,
        mlp_bias=False,
        qk_norm=False,
    )


@cache
def fits(*quantisations: Quantisation) -> list[Fit]:
    """Real forecasts for a small Llama."""
    candidate = Candidate(SMOL_ID, "apache-2.0", decoder(), 2_100_000)
    return [fit(candidate, each, IC, speed=_SPEED, memory_bytes=_MEMORY_BYTES) for each in quantisations]


@dataclass
class ScriptedModels:
    """Hooks may raise or wait; by default everything goes well at once."""

    listed: list[ModelSummary] = field(default_factory=lambda: [STARTER])
    damaged: dict[str, UserFacingError] = field(default_factory=dict)
    removed: dict[str, ModelSummary] = field(default_factory=dict)
    unfinished: list[str] = field(default_factory=list)
    away: UserFacingError | None = None
    token: str | None = None
    hub_address: str = PUBLIC_ENDPOINT
    gated: bool = False
    speed_known: bool = True
    before_look_up: Callable[[str, Cancel], None] = lambda _, __: None
    before_step: Callable[[Progress, Cancel], None] = lambda _, __: None
    steps: Sequence[Progress] = (
        Progress(f"Fetching {SMOL_ID}", 172_000_000, 271_000_000, "bytes", 6_100_000.0, 16.2),
        Progress("Importing the model", 134_000_000, 134_515_008, "weights", 9_800_000.0, 0.1),
    )

    def listing(self) -> Listing:
        return Listing(
            models=tuple(self.listed),
            bundled=STARTER.name,
            damaged=dict(self.damaged),
            removed=tuple(self.removed),
            unfinished=tuple(self.unfinished),
            free_bytes=None if self.away else 118_000_000_000,
            away=self.away,
            keeps_token=self.token is not None,
            speed_known=self.speed_known,
        )

    def catalogue(self) -> Sequence[Entry]:
        return (
            Entry(SMOL_ID, "SmolLM2 135M", "llama", 134_515_008, "apache-2.0", False, ("en",)),
            Entry("google/gemma-3-270m-it", "Gemma 3 270M", "gemma3_text", 268_098_176, "gemma", True, ("many",)),
        )

    def look_up(self, wanted: str, *, on_progress: ProgressCallback, cancel: Cancel) -> Offer:
        self.before_look_up(wanted, cancel)
        model_id = wanted.partition("@")[0]
        sizes = {"config.json": 861, "tokenizer.json": 2_104_556, "model.safetensors": 269_060_552}
        files = tuple(HubFile(name, size_bytes, "0" * 64) for name, size_bytes in sizes.items())
        model = HubModel(model_id, COMMIT, "apache-2.0", self.gated, files, decoder())
        return Offer(model, fits("int8", "int4"))

    def fetch(
        self, wanted: str, quantisation: Quantisation, *, on_progress: ProgressCallback, cancel: Cancel
    ) -> ModelSummary:
        model_id = wanted.partition("@")[0]
        self.unfinished = [model_id]
        self._play(on_progress, cancel)
        self.unfinished = []
        return self._add(model_id.partition("/")[2], quantisation)

    def discard(self, model_id: str) -> None:
        self.unfinished.remove(model_id)

    def use_hub(self, address: str | None) -> None:
        self.hub_address = PUBLIC_ENDPOINT if address is None else str(checked_endpoint(address))

    def keep_token(self, token: str | None) -> None:
        self.token = token

    def take(
        self, source: Path, quantisation: Quantisation, *, on_progress: ProgressCallback, cancel: Cancel
    ) -> ModelSummary:
        self._play(on_progress, cancel)
        return self._add(source.stem, quantisation)

    def fit(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> Sequence[Fit]:
        if not self.speed_known:
            self._play(on_progress, cancel)
        self.speed_known = True
        return fits("int8")

    def perplexity(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> float:
        self._play(on_progress, cancel)
        return 14.83

    def verify(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> None:
        self._play(on_progress, cancel)

    def remove(self, name: str) -> None:
        self.damaged.pop(name, None)
        for model in [one for one in self.listed if one.name == name]:
            self.listed.remove(model)
            self.removed[name] = model

    def restore(self, name: str) -> None:
        self.listed.append(self.removed.pop(name))

    def _play(self, on_progress: ProgressCallback, cancel: Cancel) -> None:
        for progress in self.steps:
            on_progress(progress)
            self.before_step(progress, cancel)
            cancel.raise_if_cancelled()

    def _add(self, label: str, quantisation: Quantisation) -> ModelSummary:
        added = replace(SMOL, name=label.lower(), label=label, quantisation=quantisation)
        self.listed.append(added)
        return added
