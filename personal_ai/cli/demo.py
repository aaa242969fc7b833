"""`personal-ai demo`: the main job once, from nothing, in a throw-away profile, without account, money or server."""

from __future__ import annotations

import argparse
import json
import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from personal_ai.app.workspace import Workspace
from personal_ai.canister.client import CanisterStatus
from personal_ai.chat.conversation import Conversation, ReplyFacts
from personal_ai.cli.chat import ask
from personal_ai.cli.console import ProgressLine, cycles, duration, stoppable
from personal_ai.common.paths import Paths
from personal_ai.deployments.deployer import CREATE, UPLOAD
from personal_ai.deployments.journal import Deployment
from personal_ai.models.starter.prompts import demo_prompts


@dataclass(frozen=True, slots=True)
class _Replies:
    """The same questions answered by one side."""

    texts: tuple[str, ...]
    facts: tuple[ReplyFacts, ...]


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="see it all work on this computer, without account or money")
    demo.add_argument("--json", action="store_true", help="print the figures as one JSON object on the last line")
    demo.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="personal-ai-demo-") as folder:
        opened = Workspace(Paths(Path(folder)))
        try:
            figures = _run(opened)
        finally:
            try:
                opened.stop_practice_network()
            finally:
                opened.close()
    if arguments.json:
        print(json.dumps(figures))


def _run(opened: Workspace) -> dict[str, object]:
    _say("A throw-away vault with a fresh recovery phrase, and a practice network of your own")
    opened.create_vault(opened.new_phrase(), secrets.token_urlsafe())
    started_s = time.monotonic()
    with stoppable() as cancel:
        deployment = opened.deploy(opened.models()[0].name, on_progress=ProgressLine(), cancel=cancel)
    deploy_seconds = time.monotonic() - started_s
    print(f"Canister {deployment.canister_id}, controlled by {deployment.principal} alone.")

    prompts = demo_prompts()
    client = opened.canister_client(deployment)
    before = client.status()
    _say("The canister answers")
    canister = _ask_all(opened, deployment, prompts)
    after = client.status()
    _say("This computer answers the same questions with the same weights")
    local = _ask_all(opened, None, prompts, model=deployment.model)
    same = [left == right for left, right in zip(canister.texts, local.texts, strict=True)]
    print(f"\n{sum(same)} of {len(same)} replies are the same, word for word.")

    figures = {
        "principal": deployment.principal,
        "canister_id": deployment.canister_id,
        "module_hash": deployment.module_hash,
        "model": deployment.model,
        **_deploy_figures(opened, deployment),
        "deploy_seconds": round(deploy_seconds, 3),
        "canister_reply": canister.texts[0],
        "local_reply": local.texts[0],
        "same_reply": all(same),
        "prompts": len(prompts),
        **_reply_figures(canister, before, after),
    }
    figures["cycles"] = {
        **_cycles_spent(opened, deployment),
        "reply": (before.cycles - after.cycles) // len(prompts),
    }
    _print_figures(figures, canister)
    return {**figures, **_offline_figures(opened, deployment, prompts[0])}


def _ask_all(opened: Workspace, deployment: Deployment | None, prompts: Sequence[str], model: str = "") -> _Replies:
    """Each prompt in a conversation of its own."""
    session = opened.open_chat(model=deployment.model if deployment else model, deployment=deployment)
    try:
        turns = []
        for prompt in prompts:
            print(f"\n> {prompt}")
            turns.append(ask(session, Conversation(model), prompt).turns[-1])
    finally:
        session.close()
    facts = tuple(turn.facts for turn in turns if turn.facts is not None)
    return _Replies(tuple(turn.text for turn in turns), facts)


def _deploy_figures(opened: Workspace, deployment: Deployment) -> dict[str, object]:
    uploaded = _upload_result(opened, deployment)
    return {"upload_bytes": uploaded["bytes"], "upload_seconds": round(uploaded["seconds"], 3)}


def _cycles_spent(opened: Workspace, deployment: Deployment) -> dict[str, int]:
    """Creation (with the engine's installation) and upload, as the canister's balance shows them."""
    created = opened.journal.step(deployment.id, CREATE)
    uploaded = _upload_result(opened, deployment)
    assert created is not None and created.amount_cycles is not None
    return {"create": created.amount_cycles - int(uploaded["cycles_before"]), "upload": int(uploaded["cycles"])}


def _upload_result(opened: Workspace, deployment: Deployment) -> dict[str, float]:
    step = opened.journal.step(deployment.id, UPLOAD)
    assert step is not None and step.result is not None
    result: dict[str, float] = json.loads(step.result)
    return result


def _reply_figures(replies: _Replies, before: CanisterStatus, after: CanisterStatus) -> dict[str, object]:
    """instructions_per_token: over all tokens that the canister computed, those of the prompts included."""
    tokens = sum(facts.tokens for facts in replies.facts)
    computed = after.counters.tokens_computed - before.counters.tokens_computed
    return {
        "tokens": tokens,
        "tokens_per_call": round(tokens / sum(facts.calls for facts in replies.facts), 2),
        "instructions_per_token": (after.counters.instructions - before.counters.instructions) // computed,
    }


def _offline_figures(opened: Workspace, deployment: Deployment, prompt: str) -> dict[str, object]:
    """The network is stopped and the question asked again."""
    _say("The network is stopped, and the question asked again")
    session = opened.open_chat(model=deployment.model, deployment=deployment)
    try:
        opened.stop_practice_network()
        print(f"\n> {prompt}")
        turn = ask(session, Conversation(deployment.model), prompt).turns[-1]
    finally:
        session.close()
    assert turn.facts is not None
    return {
        "offline_reply": turn.text,
        "offline_answered_by": str(turn.facts.place),
        "offline_reason": turn.facts.fallback_reason,
    }


def _print_figures(figures: dict[str, object], replies: _Replies) -> None:
    seconds = sum(facts.seconds for facts in replies.facts)
    spent = figures["cycles"]
    assert isinstance(spent, dict)
    print(f"\nDeployed in {duration(float(str(figures['deploy_seconds'])))}.")
    print(f"Canister: {sum(facts.tokens for facts in replies.facts) / seconds:.1f} tokens/s,", end=" ")
    print(
        f"{figures['tokens_per_call']} tokens per call, {figures['instructions_per_token']:,} instructions per token."
    )
    print(f"Spent on creation {cycles(spent['create'])}, upload {cycles(spent['upload'])},", end=" ")
    print(f"a reply {cycles(spent['reply'])}.")


def _say(text: str) -> None:
    print(f"\n== {text}", flush=True)
