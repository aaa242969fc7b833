"""A model of the library as lists show it."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.loss import Loss, known_loss
from personal_ai.models.package import ModelPackage


@dataclass(frozen=True, slots=True)
class ModelSummary:
    """`label` says what it is in the maker's words; empty if nobody said.

    embeds: it turns texts into numbers and cannot chat. loss: what quantisation cost, where it was measured.
    """

    name: str
    label: str
    size_bytes: int
    context_length: int
    quantisation: str
    embeds: bool = False
    licence: str = ""
    loss: Loss | None = None

    @classmethod
    def of(cls, package: ModelPackage) -> ModelSummary:
        manifest = package.manifest
        return cls(
            manifest.name,
            manifest.label,
            package.size_bytes,
            manifest.context_length,
            manifest.quantisation,
            embeds=isinstance(manifest.network, Encoder),
            licence=manifest.licence,
            loss=known_loss(package),
        )
