"""The fixed questions of `personal-ai demo`."""

from __future__ import annotations

import json
from pathlib import Path

DEMO_PROMPTS = Path(__file__).resolve().parent / "demo_prompts.json"


def demo_prompts() -> tuple[str, ...]:
    """Questions that the starter model answers rightly, in the order in which the demo asks them."""
    return tuple(json.loads(DEMO_PROMPTS.read_text(encoding="utf-8")))
