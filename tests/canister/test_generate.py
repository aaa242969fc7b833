"""Conversations with a real model in the real module: splits, branches, repeats, losses, limits."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from personal_ai.canister.client import LimitReached, NeedPrefix, NoModel
from personal_ai.canister.upload import Upload
from personal_ai.models.sampling import Sampling
from tests.canister.installed import QUERY_LIMIT, UPDATE_LIMIT, Installed, Trapped
from tests.canister.models import GREEDY, SAMPLED, Talk, forget, load, make_upload
from tests.support.checkpoints import Shape

PROMPT = [5, 6, 7, 8, 300, 301, 5, 6, 90, 91, 92]
CONTEXT = 160


@pytest.fixture(scope="session")
def uploads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Upload]:
    shape = Shape(context=CONTEXT)
    folder = tmp_path_factory.mktemp
    return {
        "llama int8": make_upload(folder("model"), shape),
        "llama f32": make_upload(folder("model"), shape, quantisation="f32"),
        "gpt2 int8": make_upload(folder("model"), replace(shape, architecture="gpt2")),
    }


@pytest.fixture
def loaded(canister: Installed, uploads: dict[str, Upload]) -> Installed:
    """A canister with the int8 Llama active."""
    load(canister.client, uploads["llama int8"])
    return canister


def _fresh(canister: Installed, sampling: Sampling = GREEDY, name: bytes = b"talk") -> Talk:
    """A conversation from nothing."""
    return Talk(canister.client, [], name, sampling)


# ---- one arithmetic


@pytest.mark.parametrize("model", ["llama int8", "llama f32", "gpt2 int8"])
@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_many_small_calls_equal_one_large(
    canister: Installed, uploads: dict[str, Upload], model: str, sampling: Sampling
) -> None:
    load(canister.client, uploads[model])
    whole = _fresh(canister, sampling)
    prompt = [token % 384 for token in range(7, 7 + 60)]
    assert whole.go_on(80, prompt).finish == "max_tokens"
    forget(canister.client)
    pieces = _fresh(canister, sampling, b"pieces")
    finishes = [pieces.go_on(0, prompt, max_instructions=1).finish]
    while finishes[-1] == "budget":
        finishes.append(pieces.go_on(0, max_instructions=1).finish)
    assert len(finishes) == 60, "each call computed one token of the prompt"
    finishes = []
    while len(pieces.tokens) < len(whole.tokens):
        finishes.append(pieces.go_on(len(whole.tokens) - len(pieces.tokens), max_instructions=1).finish)
    assert pieces.tokens == whole.tokens
    assert finishes == ["budget"] * 79 + ["max_tokens"], "and then one of the reply"
    assert canister.client.status().counters.tokens_computed == 2 * (60 + 79)


def test_any_budget_and_any_split_give_the_same(loaded: Installed) -> None:
    whole = _fresh(loaded, SAMPLED)
    whole.go_on(60, PROMPT)
    rng = random.Random(3)
    for _ in range(6):
        forget(loaded.client)
        pieces = _fresh(loaded, SAMPLED, b"pieces")
        append = PROMPT
        while len(pieces.tokens) < len(whole.tokens):
            left = len(whole.tokens) - len(pieces.tokens) - len(append)
            pieces.go_on(rng.randint(1, left), append, max_instructions=rng.choice([0, 1, 80_000_000]))
            append = []
        assert pieces.tokens == whole.tokens


def test_a_conversation_does_not_depend_on_what_ran_before(loaded: Installed) -> None:
    first = _fresh(loaded)
    first.go_on(20, PROMPT)
    forget(loaded.client)
    _fresh(loaded, name=b"other").go_on(20, PROMPT[::-1])
    again = _fresh(loaded)
    again.go_on(20, PROMPT)
    assert again.tokens == first.tokens


def test_what_a_trap_undid_is_done_again(loaded: Installed) -> None:
    expected = _fresh(loaded)
    expected.go_on(30, PROMPT)
    forget(loaded.client)
    talk = _fresh(loaded, name=b"trapped")
    talk.go_on(10, PROMPT)
    loaded.update_limit = 3_000_000  # the network's limit as this canister does not know it
    with pytest.raises(Trapped):
        talk.go_on(20)
    loaded.update_limit = UPDATE_LIMIT
    talk.go_on(20)
    assert talk.tokens == expected.tokens


# ---- keep, branch, repeat


def test_edit_and_branch_need_only_keep(loaded: Installed) -> None:
    talk = _fresh(loaded)
    talk.go_on(12, PROMPT)
    straight = list(talk.tokens)
    regenerated = Talk(loaded.client, straight[: len(PROMPT)])
    regenerated.go_on(12)
    assert regenerated.tokens == straight
    branch = Talk(loaded.client, straight[:8])
    branch.go_on(9, [17, 18])
    with pytest.raises(NeedPrefix):
        talk.go_on(1)  # the branch took its place
    forget(loaded.client)
    anew = _fresh(loaded, name=b"anew")
    anew.go_on(9, [*PROMPT[:8], 17, 18])
    assert branch.tokens == anew.tokens


def test_keeping_saves_computing(loaded: Installed) -> None:
    talk = _fresh(loaded)
    talk.go_on(10, PROMPT)
    before = loaded.client.status().counters.tokens_computed
    talk.go_on(1, [3, 4])
    assert loaded.client.status().counters.tokens_computed - before == 3, "the last token chosen, and two new ones"
    resent = _fresh(loaded)
    resent.go_on(1, talk.tokens)
    assert loaded.client.status().counters.tokens_computed - before == 3 + 1, "equal tokens are not computed again"


def test_a_repeat_is_answered_from_store(loaded: Installed) -> None:
    talk = _fresh(loaded, SAMPLED)
    first = talk.go_on(30, PROMPT)
    counters = loaded.client.status().counters
    assert _fresh(loaded, SAMPLED).go_on(30, PROMPT) == first
    assert loaded.client.status().counters == counters
    last = talk.go_on(5)
    with pytest.raises(AssertionError):
        assert _fresh(loaded, replace(SAMPLED, seed=8)).go_on(30, PROMPT) == first
    talk = _fresh(loaded, SAMPLED)
    talk.go_on(30, PROMPT)
    assert talk.go_on(5).tokens == last.tokens


def test_a_repeat_of_a_call_cut_short_gives_what_it_gave(loaded: Installed) -> None:
    talk = _fresh(loaded)
    ahead = talk.go_on(0, PROMPT, max_instructions=1)
    assert (ahead.tokens, ahead.finish) == ((), "budget"), "still in the prompt"
    held = list(talk.tokens)
    cut = talk.go_on(50, max_instructions=1)
    assert cut.finish == "budget"
    assert Talk(loaded.client, held).go_on(50, max_instructions=1) == cut
    assert Talk(loaded.client, held).go_on(50) == cut, "max_instructions does not make another request"


# ---- what is lost


def test_need_prefix_tells_what_to_try(loaded: Installed) -> None:
    talk = _fresh(loaded)
    talk.go_on(4, PROMPT)
    unknown = Talk(loaded.client, [1, 2, 3], b"unknown")
    with pytest.raises(NeedPrefix) as need:
        unknown.go_on(1, [4])
    assert need.value.have == 0
    longer = Talk(loaded.client, [*talk.tokens, 1, 2])
    with pytest.raises(NeedPrefix) as need:
        longer.go_on(1, [4])
    assert need.value.have == len(talk.tokens)
    different = Talk(loaded.client, [*talk.tokens[:-1], 383])
    with pytest.raises(NeedPrefix) as need:
        different.go_on(1, [4])
    assert need.value.have == 0
    talk.go_on(1)


def test_an_upgrade_keeps_the_files_and_loses_the_heap(loaded: Installed, uploads: dict[str, Upload]) -> None:
    talk = _fresh(loaded)
    talk.go_on(10, PROMPT)
    expected = _fresh(loaded, name=b"expected")
    expected.go_on(20, PROMPT)
    counters = loaded.client.status().counters
    loaded.timers = False
    loaded.upgrade()
    status = loaded.client.status()
    assert status.model is not None and status.model.loaded is None
    assert status.model.hash == uploads["llama int8"].manifest.hash
    assert status.counters == counters
    with pytest.raises(NoModel):
        talk.go_on(1)
    assert status.model.loading is not None, "the timer will see to it"
    loaded.client.activate()
    with pytest.raises(NeedPrefix):
        talk.go_on(1)
    resent = _fresh(loaded)
    resent.go_on(10, talk.tokens)
    assert resent.tokens == expected.tokens


def test_unload_and_load_again(loaded: Installed) -> None:
    heap_bytes = loaded.client.status().heap_bytes
    for _ in range(3):
        loaded.client.unload()
        with pytest.raises(NoModel):
            _fresh(loaded).go_on(1, PROMPT)
        loaded.client.activate()
    assert loaded.client.status().heap_bytes == heap_bytes, "memory is used again"
    _fresh(loaded).go_on(1, PROMPT)


def test_the_old_model_answers_until_the_switch(loaded: Installed, uploads: dict[str, Upload]) -> None:
    talk = _fresh(loaded)
    talk.go_on(3, PROMPT)
    other = uploads["gpt2 int8"]
    loaded.client.begin_upload(other.manifest)
    loaded.client.put_chunk(0, other.read_chunk(0))
    talk.go_on(3)
    loaded.client.activate(other.manifest.hash)
    status = loaded.client.status()
    assert status.model is not None and status.model.hash == other.manifest.hash and status.staging is None
    with pytest.raises(NeedPrefix):
        talk.go_on(1)
    _fresh(loaded).go_on(3, PROMPT)
    assert loaded.client.read_file("tokenizer.json") == other.paths[1].read_bytes()
    assert loaded.client.read_file("program") == other.paths[0].read_bytes()
    load(loaded.client, uploads["llama int8"])
    again = _fresh(loaded)
    again.go_on(6, PROMPT)
    assert again.tokens == talk.tokens


# ---- why replies end


def test_end_tokens_end_a_reply(canister: Installed, tmp_path_factory: pytest.TempPathFactory) -> None:
    shape = Shape(context=CONTEXT)
    load(canister.client, make_upload(tmp_path_factory.mktemp("model"), shape))
    endless = _fresh(canister)
    endless.go_on(40, PROMPT)
    reply = endless.tokens[len(PROMPT) :]
    end = reply[25]
    first = reply.index(end)
    load(canister.client, make_upload(tmp_path_factory.mktemp("model"), shape, end_tokens=(end, 383)))
    ended = _fresh(canister)
    generated = ended.go_on(40, PROMPT)
    assert (generated.finish, list(generated.tokens)) == ("end", reply[: first + 1])


def test_stop_sequences_are_found_across_calls_and_only_in_the_reply(loaded: Installed) -> None:
    endless = _fresh(loaded)
    endless.go_on(40, PROMPT)
    reply = endless.tokens[len(PROMPT) :]
    stop = (tuple(reply[17:20]),)
    whole = _fresh(loaded, name=b"whole")
    whole.stop = ((1, 2, 3), *stop)
    generated = whole.go_on(40, PROMPT)
    assert (generated.finish, list(generated.tokens)) == ("stop", reply[:20])

    split = _fresh(loaded, name=b"split")
    split.stop = stop
    split.go_on(18, PROMPT)
    generated = split.go_on(40)
    assert (generated.finish, list(generated.tokens)) == ("stop", reply[18:20])

    prompted = _fresh(loaded, name=b"prompted")
    prompted.stop = stop
    generated = prompted.go_on(20, [*PROMPT, *reply[:18]])
    assert generated.finish != "stop", "its first part is the prompt's"


def test_a_prompt_can_be_computed_ahead(loaded: Installed) -> None:
    expected = _fresh(loaded, name=b"expected")
    expected.go_on(5, PROMPT)
    talk = _fresh(loaded)
    ahead = talk.go_on(0, PROMPT[:8])
    assert (ahead.tokens, ahead.finish) == ((), "max_tokens")
    assert talk.go_on(0).tokens == ()
    before = loaded.client.status().counters.tokens_computed
    talk.go_on(5, PROMPT[8:])
    assert loaded.client.status().counters.tokens_computed - before == 3 + 4
    assert talk.tokens == expected.tokens
    assert _fresh(loaded, name=b"empty").go_on(0).length == 0


def test_a_prompt_and_the_first_words_come_in_one_call(loaded: Installed) -> None:
    talk = _fresh(loaded)
    generated = talk.go_on(20, PROMPT * 8, max_instructions=1)
    assert (len(generated.tokens), generated.finish) == (3, "budget")
    assert len(talk.go_on(20, max_instructions=1).tokens) == 1
    assert len(talk.go_on(20, [1], max_instructions=1).tokens) == 3, "the last token chosen and one appended"


def test_a_full_context_says_so(loaded: Installed) -> None:
    talk = _fresh(loaded)
    generated = talk.go_on(1000, PROMPT)
    assert (generated.finish, generated.length) == ("budget", CONTEXT)
    with pytest.raises(LimitReached, match="context"):
        talk.go_on(1)
    with pytest.raises(LimitReached, match="context"):
        _fresh(loaded, name=b"long").go_on(1, [1] * CONTEXT)
    assert talk.go_on(0).length == CONTEXT, "nothing was lost"
    shorter = Talk(loaded.client, talk.tokens[:20])
    assert shorter.go_on(3).length == 23


# ---- queries and limits


def test_a_query_gives_the_same_and_keeps_nothing(loaded: Installed) -> None:
    talk = _fresh(loaded)
    talk.go_on(5, PROMPT)
    status = loaded.client.status()
    twin = Talk(loaded.client, list(talk.tokens))
    twin.go_on(10, query=True)
    assert loaded.client.status() == status
    talk.go_on(10)
    assert talk.tokens == twin.tokens


@pytest.fixture(scope="session")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    """More than a query can compute: about two million instructions for each token of the prompt."""
    shape = Shape(vocabulary=2000, hidden=256, layers=4, heads=8, key_value_heads=4, intermediate=704, context=4096)
    return make_upload(tmp_path_factory.mktemp("larger"), shape)


def test_a_message_ends_by_itself_before_the_limit(canister: Installed, larger: Upload) -> None:
    load(canister.client, larger)
    rng = random.Random(1)
    prompt = [rng.randrange(2000) for _ in range(4000)]
    talk = _fresh(canister, SAMPLED)
    generated = talk.go_on(1000, prompt, query=True)
    _, outcome = canister.calls[-1]
    print(f"{outcome.instructions / 1e9:.3f} B of 5 B used, counted by itself {generated.instructions / 1e9:.3f} B")
    assert generated.finish == "budget"
    assert 0.9 * QUERY_LIMIT < outcome.instructions < QUERY_LIMIT
    assert abs(outcome.instructions - generated.instructions) < 10_000_000

    talk = _fresh(canister)
    talk.go_on(0, prompt[:200])
    for wanted in (50_000_000, 100_000_000, 400_000_000):
        generated = talk.go_on(1000, max_instructions=wanted)
        assert generated.finish == "budget"
        assert 0.2 * wanted < canister.calls[-1][1].instructions <= wanted
