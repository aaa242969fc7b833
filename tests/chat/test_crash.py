"""A program that is killed in the middle of a reply loses at most the last second of it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from personal_ai.chat.conversation import Place
from personal_ai.chat.store import ConversationStore

KEY = bytes(range(32))
TOKENS_PER_S = 10
# What time it is depends on how many tokens were said, so that a busy machine changes nothing.
KILLED = """
import os, signal, sys
from pathlib import Path
from types import SimpleNamespace

from personal_ai.chat import session
from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.chat.store import ConversationStore
from personal_ai.common.jobs import Cancel

said = 0
session.time = SimpleNamespace(monotonic=lambda: said / {per_s})

class Side:
    place = Place.LOCAL
    def answer(self, question, listener, cancel):
        global said
        while True:
            said += 1
            listener.token(said)
            print(said, flush=True)
            if said == {killed_after}:
                os.kill(os.getpid(), signal.SIGKILL)

class Decoder:
    push = staticmethod(lambda token: f"{{token}} ")
    flush = staticmethod(lambda: "")

tokenizer = SimpleNamespace(end_tokens=(), encode_chat=lambda _: [0], decoder=Decoder)
store = ConversationStore(Path(sys.argv[1]), bytes(range(32)))
asked = Conversation("guide").with_turn(Turn("user", "Count."))
store.save(asked)
session.ChatSession(session.ChatModel(tokenizer, 1000), Side(), None).answer(
    asked,
    on_text=lambda _: None,
    on_place=lambda *_: None,
    on_unfinished=lambda turn: store.save_unfinished(asked.id, turn),
    cancel=Cancel(),
)
"""


def test_killed_while_a_reply_streams(tmp_path: Path) -> None:
    path, killed_after = tmp_path / "conversations.sqlite", 37
    script = KILLED.format(per_s=TOKENS_PER_S, killed_after=killed_after)
    ended = subprocess.run([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(ended.stdout.split()) == killed_after
    store = ConversationStore(path, KEY)
    (summary,) = store.list()
    talk = store.get(summary.id)
    assert talk is not None
    question, reply = talk.turns
    kept = [int(word) for word in reply.text.split()]
    assert question.text == "Count."
    assert kept == list(range(1, len(kept) + 1))
    assert killed_after - len(kept) <= TOKENS_PER_S
    assert reply.facts is not None
    assert (reply.facts.place, reply.facts.finish, reply.facts.tokens) == (Place.LOCAL, "interrupted", len(kept))
    store.close()
