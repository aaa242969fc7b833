"""The bill of a deployment: what was planned, beside what the network really took.

What each step took is the difference of the canister's balances around it, with the rent of the time it lasted. The
plan is that of the day of the deployment, kept in its journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from personal_ai.canister.client import CanisterStatus as EngineStatus
from personal_ai.canister.client import Counters
from personal_ai.deployments.deployer import ACTIVATE, CREATE, UPLOAD
from personal_ai.deployments.journal import Journal, StepRecord
from personal_ai.deployments.replacement import REPLACE
from personal_ai.ic.management import CanisterStatus
from personal_ai.ic.profile import NetworkProfile


@dataclass(frozen=True, slots=True)
class Line:
    """One item in cycles. spent: None where nobody knows (any more)."""

    what: Literal["create and install", "upload", "verify", "storage of a day", "answers so far"]
    planned: int
    spent: int | None


def bill(
    journal: Journal, deployment_id: str, profile: NetworkProfile, status: CanisterStatus, said: EngineStatus | None
) -> tuple[Line, ...]:
    """Every item; none where there was no plan: the canister was adopted, or deployed by an older version."""
    steps = journal.steps(deployment_id)
    uploaded = _facts(steps.get(UPLOAD))
    planned = uploaded.get("planned")
    if planned is None or "cycles" not in uploaded:
        return ()
    left_before, left_after = uploaded["cycles_before"], uploaded["cycles_before"] - uploaded["cycles"]
    paid = steps[CREATE].amount_cycles if CREATE in steps else None
    activated = None if REPLACE in steps else _facts(steps.get(ACTIVATE)).get("cycles_left")
    lines = [
        Line("create and install", planned["create"] + planned["install"], _difference(paid, left_before)),
        Line("upload", planned["upload"], _difference(left_before, left_after)),
        Line("verify", planned["verify"], _difference(left_after, activated)),
        Line("storage of a day", planned["rent_per_day"], status.idle_cycles_per_day),
    ]
    if said is not None:
        as_planned = planned["replies"] * said.counters.tokens_computed // planned["reply_tokens"]
        lines.append(Line("answers so far", as_planned, _answering(profile, said.counters)))
    return tuple(lines)


def _difference(before: int | None, after: int | None) -> int | None:
    """None where a balance is not known, or cycles came in meanwhile."""
    return before - after if before is not None and after is not None and before >= after else None


def _answering(profile: NetworkProfile, counters: Counters) -> int:
    """The messages and instructions that the engine counted, at the network's prices."""
    costs = profile.costs
    messages = counters.requests * (costs.ingress_base + costs.update_base)
    return costs.on_subnet(messages + round(costs.per_instruction * counters.instructions))


def _facts(step: StepRecord | None) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(step.result) if step is not None and step.result else {}
    return facts
