"""Names for deployments: trees, never people."""

from __future__ import annotations

from collections.abc import Collection

TREES = (
    "Rowan", "Birch", "Alder", "Hazel", "Linden", "Aspen", "Maple", "Juniper", "Cedar", "Larch",
    "Willow", "Elm", "Spruce", "Cypress", "Laurel", "Olive", "Walnut", "Chestnut", "Sequoia", "Yew",
)  # fmt: skip


def next_name(taken: Collection[str]) -> str:
    """The first free tree; when all are taken they begin again with a number."""
    round_number = 1
    while True:
        for tree in TREES:
            name = tree if round_number == 1 else f"{tree} {round_number}"
            if name not in taken:
                return name
        round_number += 1
