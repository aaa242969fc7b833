"""`personal-ai chat`: a question, or a conversation line by line, in the terminal."""

from __future__ import annotations

import argparse
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts
from personal_ai.chat.session import ChatSession, ContextFullError
from personal_ai.cli.console import stoppable
from personal_ai.cli.session import add_password_option, workspace
from personal_ai.common.errors import BadInputError, Cancelled, SecurityError
from personal_ai.common.jobs import Cancel
from personal_ai.deployments.journal import Deployment, DeploymentState

Asking = Callable[[ChatSession, Conversation, str], Conversation]

_WHEN_FULL = ("leave-out", "summarise", "new")
PLACE_WORDS = {
    Place.LOCAL: "this computer",
    Place.PRACTICE: "your canister on the practice network",
    Place.CANISTER: "your canister",
}


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    chat = commands.add_parser("chat", help="talk with a model")
    chat.add_argument("question", nargs="*", help="one question; without it, lines from the terminal until it ends")
    chat.add_argument("--local", action="store_true", help="answer on this computer; no word leaves it")
    chat.add_argument("--model", help="which model to use locally; the starter model if not given")
    chat.add_argument("--deployment", help="name of the deployment to ask; the newest active one if not given")
    chat.add_argument(
        "--when-full",
        choices=_WHEN_FULL,
        help="what to do when the conversation outgrows the model's context; asked for on a terminal",
    )
    chat.add_argument("--json", action="store_true", help="each reply as a JSON object in a line of its own")
    add_password_option(chat)
    chat.set_defaults(run=_chat)


def _chat(arguments: argparse.Namespace) -> None:
    with workspace(arguments, unlock=not arguments.local) as opened:
        deployment = None if arguments.local else active_deployment(opened.deployments(), arguments.deployment)
        model = arguments.model or (deployment.model if deployment else opened.models()[0].name)
        session = opened.open_chat(model=model, deployment=deployment)
        asking = _ask_for_json if arguments.json else ask
        try:
            if arguments.question:
                asking(session, Conversation(model), " ".join(arguments.question))
            else:
                _converse(session, Conversation(model), asking, arguments.when_full)
        finally:
            session.close()


def active_deployment(deployments: list[Deployment], name: str | None) -> Deployment:
    """The newest finished one, of that name where one is given. Raises BadInputError."""
    active = [each for each in deployments if each.state is DeploymentState.ACTIVE and name in (None, each.name)]
    if not active:
        raise BadInputError(
            f"There is no finished deployment{f' named {name}' if name else ''}.",
            next_step="Deploy one with: personal-ai deploy, or talk on this computer with: personal-ai chat --local",
        )
    return active[0]


def _converse(session: ChatSession, conversation: Conversation, asking: Asking, when_full: str | None) -> None:
    """Line by line until the input ends."""
    while True:
        with _computed_ahead(session, conversation):
            line = sys.stdin.readline()
        if not line:
            return
        if question := line.strip():
            conversation = _ask_with_room(session, conversation, question, asking, when_full)


def _ask_with_room(
    session: ChatSession, conversation: Conversation, question: str, asking: Asking, when_full: str | None
) -> Conversation:
    """As `asking`; where the context is full, room is made as the user says. Nothing is left out without a word."""
    try:
        return asking(session, conversation, question)
    except ContextFullError as error:
        if not error.can_be_cut or (when_full is None and not sys.stdin.isatty()):
            raise
        print(f"[{error}]", file=sys.stderr)
        shorter = _shortened(session, conversation, question, when_full or _choice())
    return asking(session, shorter, question)


def _choice() -> str:
    answer = ""
    while answer not in _WHEN_FULL:
        answer = input(f"{', '.join(_WHEN_FULL)}? ").strip()
    return answer


def _shortened(session: ChatSession, conversation: Conversation, question: str, way: str) -> Conversation:
    if way == "new":
        shorter = session.carry_on(conversation, question, conversation.title)
        print(f"[A new conversation; it begins with the last {len(shorter.turns)} messages.]", file=sys.stderr)
        return shorter
    if way == "summarise":
        with stoppable() as cancel:
            shorter = session.summarise(conversation, question, cancel)
    else:
        shorter = session.leave_out(conversation, question)
    at = max(number for number, turn in enumerate(shorter.turns) if turn.role == "system")
    summary = shorter.turns[at].text
    told = f" Instead it is told: {summary}" if summary else ""
    print(f"[The model no longer sees the first {at} messages.{told}]", file=sys.stderr)
    return shorter


@contextmanager
def _computed_ahead(session: ChatSession, conversation: Conversation) -> Iterator[None]:
    """While the block waits for a person's words, what they will follow is computed."""
    cancel = Cancel()
    worker = threading.Thread(target=_prepare, args=(session, conversation, cancel), daemon=True)
    worker.start()
    try:
        yield
    finally:
        cancel.cancel()
        worker.join()


def _prepare(session: ChatSession, conversation: Conversation, cancel: Cancel) -> None:
    try:
        session.prepare(conversation, cancel)
    except (Cancelled, SecurityError):
        return  # the question that follows meets the same, and tells


def ask(session: ChatSession, conversation: Conversation, question: str) -> Conversation:
    """One question with the reply streamed to the terminal, and the facts of it beneath; Ctrl-C ends the reply."""

    def show(piece: str) -> None:
        print(piece, end="", flush=True)

    def show_place(place: Place, reason: str | None) -> None:
        if reason is not None:
            print(f"\n[{reason} {PLACE_WORDS[place].capitalize()} answers instead.]")

    with stoppable() as cancel:
        conversation = session.reply(conversation, question, on_text=show, on_place=show_place, cancel=cancel)
    facts = conversation.turns[-1].facts
    assert facts is not None
    print(f"\n[{describe(facts)}]")
    return conversation


def _ask_for_json(session: ChatSession, conversation: Conversation, question: str) -> Conversation:
    """As `ask`, for a program that reads: the reply as a whole, with its facts."""
    with stoppable() as cancel:
        conversation = session.reply(conversation, question, on_text=_ignore, on_place=_ignore, cancel=cancel)
    turn = conversation.turns[-1]
    assert turn.facts is not None
    print(json.dumps({"text": turn.text, **asdict(turn.facts)}), flush=True)
    return conversation


def _ignore(*_: object) -> None:
    """What a terminal would show meanwhile."""


def describe(facts: ReplyFacts) -> str:
    """The facts of a reply in one line."""
    parts = [PLACE_WORDS[facts.place], f"{facts.tokens} tokens"]
    if facts.finish == "cancelled":
        parts.append("stopped")
    if facts.seconds > 0:
        parts.append(f"{facts.tokens / facts.seconds:.1f} tokens/s")
    if facts.calls:
        parts.append(f"{facts.tokens / facts.calls:.1f} tokens per call")
        parts.append(f"{facts.instructions / max(facts.tokens, 1) / 1e6:.1f} M instructions per new token")
    return ", ".join(parts)
