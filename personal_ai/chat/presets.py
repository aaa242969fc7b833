"""Ways to talk that the user keeps under a name, and the three that everyone has."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.models.sampling import Sampling

# How freely words are chosen. Exact takes the likeliest word always, so that the same question has the same answer.
EXACT = Sampling()
BALANCED = Sampling(temperature=0.7, top_p=0.95)
INVENTIVE = Sampling(temperature=1.1, top_p=0.98, min_p=0.05)


@dataclass(frozen=True, slots=True)
class Preset:
    """Instructions and sampling under a name; sampling None leaves the choice to the chat."""

    name: str
    instructions: str
    sampling: Sampling | None
