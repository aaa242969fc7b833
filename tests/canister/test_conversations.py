"""Several conversations in one heap: none changes another, the oldest leaves, and any split gives the same."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.canister.client import NeedPrefix
from personal_ai.canister.upload import Upload
from personal_ai.models.sampling import Sampling
from tests.canister.installed import UPDATE_LIMIT, Installed, Network, Trapped
from tests.canister.models import GREEDY, SAMPLED, Talk, forget, load, make_upload
from tests.support.checkpoints import Shape

CONTEXT = 96
VOCABULARY = 384
PROMPTS = {
    b"one": [5, 6, 7, 8, 300, 301, 5, 6, 90, 91, 92],
    b"two": [5, 6, 7, 8, 300, 17],
    b"three": list(range(40, 70)),
    b"four": [1],
}


@pytest.fixture(scope="module")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    return make_upload(tmp_path_factory.mktemp("model"), Shape(context=CONTEXT))


@pytest.fixture
def loaded(canister: Installed, upload: Upload) -> Installed:
    load(canister.client, upload)
    return canister


@pytest.fixture(scope="module")
def shared(network: Network, upload: Upload) -> Installed:
    """A canister whose conversations no test counts on."""
    canister = network.canister()
    load(canister.client, upload)
    return canister


@pytest.fixture(scope="module")
def alone(network: Network, upload: Upload) -> dict[bytes, list[int]]:
    """What each conversation becomes in a canister of its own."""
    tokens = {}
    for name, prompt in PROMPTS.items():
        canister = network.canister()
        load(canister.client, upload)
        talk = Talk(canister.client, [], name, SAMPLED)
        talk.go_on(24, prompt)
        tokens[name] = talk.tokens
    return tokens


def _talks(canister: Installed) -> list[Talk]:
    talks = [Talk(canister.client, [], name, SAMPLED) for name in PROMPTS]
    for talk in talks:
        talk.go_on(4, PROMPTS[talk.name])
    return talks


def _finish(talks: list[Talk], alone: dict[bytes, list[int]]) -> None:
    """Takes turns until all have said what they say alone."""
    while unfinished := [talk for talk in talks if len(talk.tokens) < len(alone[talk.name])]:
        for talk in unfinished:
            talk.go_on(4)
    for talk in talks:
        assert talk.tokens == alone[talk.name]


def _computed(canister: Installed) -> int:
    return canister.client.status().counters.tokens_computed


# ---- side by side


def test_conversations_that_take_turns_say_what_they_say_alone(
    loaded: Installed, alone: dict[bytes, list[int]]
) -> None:
    talks = _talks(loaded)
    before = _computed(loaded)
    _finish(talks, alone)
    assert _computed(loaded) - before == 4 * 20, "nothing is computed again when another one has spoken"
    assert {held.id for held in loaded.client.status().conversations} == set(PROMPTS)


def test_a_trap_in_one_leaves_the_others_and_itself(loaded: Installed, alone: dict[bytes, list[int]]) -> None:
    talks = _talks(loaded)
    loaded.update_limit = 3_000_000  # the network's limit as this canister does not know it
    for victim in (talks[2], Talk(loaded.client, [], b"new")):
        with pytest.raises(Trapped):
            victim.go_on(20, [9] * 20)
    loaded.update_limit = UPDATE_LIMIT
    _finish(talks, alone)


def test_after_an_upgrade_each_is_rebuilt_from_its_tokens(loaded: Installed, alone: dict[bytes, list[int]]) -> None:
    talks = _talks(loaded)
    loaded.upgrade()
    loaded.client.activate()
    for talk in talks:
        with pytest.raises(NeedPrefix) as need:
            talk.go_on(4)
        assert need.value.have == 0
    again = [Talk(loaded.client, [], talk.name, SAMPLED) for talk in talks]
    for talk, known in zip(again, talks, strict=True):
        talk.go_on(4, known.tokens)
    _finish(again, alone)


# ---- who leaves


def test_the_conversation_not_used_for_longest_leaves(loaded: Installed) -> None:
    model = loaded.client.status().model
    assert model is not None and model.loaded is not None
    most = model.loaded.conversations_most
    assert most == 16
    talks = [Talk(loaded.client, [], bytes([number])) for number in range(most)]
    for talk in talks:
        talk.go_on(2, [*talk.name, 7])
    heap_bytes = loaded.client.status().heap_bytes
    talks[0].go_on(1)  # which makes the second the oldest
    for number in range(most, most + 3):
        Talk(loaded.client, [], bytes([number])).go_on(1, [7])
    assert loaded.client.status().heap_bytes == heap_bytes, "a new conversation takes the memory of one that left"
    assert len(loaded.client.status().conversations) == most
    for talk in talks[1:4]:
        with pytest.raises(NeedPrefix) as need:
            talk.go_on(1)
        assert need.value.have == 0
    for talk in [talks[0], *talks[4:]]:
        talk.go_on(1)


def test_a_query_evicts_nobody(loaded: Installed) -> None:
    talks = [Talk(loaded.client, [], bytes([number])) for number in range(16)]
    for talk in talks:
        talk.go_on(1, [7])
    Talk(loaded.client, [], b"seventeenth").go_on(2, [7], query=True)
    for talk in talks:
        talk.go_on(1)


def test_memory_is_taken_when_a_conversation_needs_it(loaded: Installed) -> None:
    model = loaded.client.status().model
    assert model is not None and model.loaded is not None
    sizes = [loaded.client.status().heap_bytes]
    for number in range(3):
        Talk(loaded.client, [], bytes([number])).go_on(1, [7])
        sizes.append(loaded.client.status().heap_bytes)
    assert sizes[1] == sizes[0], "the first one's was taken with the model"
    pages = -(-model.loaded.conversation_bytes // 65536)
    assert [after - before for before, after in pairwise(sizes[1:])] == [pages * 65536] * 2


# ---- nothing is computed twice


def test_a_prompt_computed_ahead_is_not_computed_again(loaded: Installed) -> None:
    prompt = PROMPTS[b"one"]
    expected = Talk(loaded.client, [], b"expected", SAMPLED)
    expected.go_on(6, prompt)
    forget(loaded.client)
    talk = Talk(loaded.client, [], sampling=SAMPLED)
    before = _computed(loaded)
    talk.go_on(0, prompt)
    assert _computed(loaded) - before == len(prompt)
    talk.go_on(6)
    assert _computed(loaded) - before == len(prompt) + 5, "the last token chosen is computed by the call after"
    assert talk.tokens == expected.tokens
    talk.go_on(0)
    talk.go_on(1)
    assert _computed(loaded) - before == len(prompt) + 6


@pytest.mark.parametrize("resent", [False, True], ids=["kept", "sent again"])
def test_a_reply_made_again_costs_no_prompt(loaded: Installed, resent: bool) -> None:
    prompt = PROMPTS[b"one"]
    talk = Talk(loaded.client, [], sampling=SAMPLED)
    talk.go_on(6, prompt)
    before = _computed(loaded)
    another = Talk(loaded.client, [] if resent else prompt, sampling=Sampling(temperature=1.5, seed=99))
    another.go_on(6, prompt if resent else [])
    assert _computed(loaded) - before == 5
    first = Talk(loaded.client, prompt, sampling=SAMPLED)
    first.go_on(6)
    assert first.tokens == talk.tokens
    forget(loaded.client)
    fresh = Talk(loaded.client, [], b"fresh", another.sampling)
    fresh.go_on(6, prompt)
    assert another.tokens == fresh.tokens


def test_kept_logits_leave_with_the_tokens_they_follow(loaded: Installed) -> None:
    prompt = PROMPTS[b"one"]
    talk = Talk(loaded.client, [])
    talk.go_on(4, prompt)
    edited = Talk(loaded.client, prompt[:-1])
    edited.go_on(4, [200])
    shorter = Talk(loaded.client, prompt[:5])
    shorter.go_on(4)
    forget(loaded.client)
    fresh = Talk(loaded.client, [], b"fresh")
    fresh.go_on(4, [*prompt[:-1], 200])
    assert edited.tokens == fresh.tokens
    forget(loaded.client)
    fresh = Talk(loaded.client, [], b"shorter")
    fresh.go_on(4, prompt[:5])
    assert shorter.tokens == fresh.tokens


# ---- any split

_budgets = st.sampled_from([1, 1, 2_000_000, 10_000_000, 40_000_000, 0])
_tokens = st.lists(st.integers(0, VOCABULARY - 1), max_size=12)
_steps = st.tuples(
    st.floats(0, 1),  # the share of what is there that is kept
    st.integers(1, 3),  # calls that the appended tokens come in
    _tokens,
    st.integers(0, 10),  # tokens to generate
    st.lists(_budgets, min_size=1, max_size=4),
    st.sampled_from([None, None, None, "another", "trap", "upgrade"]),  # what comes between two of its messages
)


@settings(max_examples=40)
@given(steps=st.lists(_steps, min_size=1, max_size=5), sampling=st.sampled_from([GREEDY, SAMPLED]))
def test_any_split_over_messages_gives_what_one_call_gives(
    shared: Installed,
    steps: list[tuple[float, int, list[int], int, list[int], str | None]],
    sampling: Sampling,
) -> None:
    tokens: list[int] = []
    _forget(shared, b"split")
    for share, parts, append, wanted, budgets, event in steps:
        keep = int(share * len(tokens)) if share < 0.5 else len(tokens)
        talk = Talk(shared.client, tokens[:keep], b"split", sampling)
        prompt = [*talk.tokens, *append][: CONTEXT - wanted] or [3]
        _send_in_parts(talk, prompt[len(talk.tokens) :], parts, budgets)
        _happen(event, shared, talk)
        _generate_in_parts(talk, len(prompt) + wanted, budgets)
        _forget(shared, b"whole")
        whole = Talk(shared.client, [], b"whole", sampling)
        whole.go_on(wanted, prompt)
        assert talk.tokens == whole.tokens
        tokens = talk.tokens


def _forget(canister: Installed, name: bytes) -> None:
    """So that nothing of an earlier example answers."""
    Talk(canister.client, [], name).go_on(0, [VOCABULARY - 1])


def _happen(event: str | None, canister: Installed, talk: Talk) -> None:
    """Something that must not change what the conversation says next."""
    if event == "another":
        Talk(canister.client, [], b"another").go_on(3, talk.tokens[:7] or [1])
    elif event == "trap":
        canister.update_limit = 2_200_000  # between one token and 16, which this canister does not know
        others = [*((token + 1) % VOCABULARY for token in talk.tokens[-16:]), *[9] * 16][:16]
        try:
            with pytest.raises(Trapped):
                Talk(canister.client, talk.tokens[:-16], talk.name).go_on(0, others)
        finally:
            canister.update_limit = UPDATE_LIMIT
    elif event == "upgrade":
        canister.upgrade()
        canister.client.activate()
        talk.tokens, known = [], talk.tokens
        talk.go_on(0, known)


def _send_in_parts(talk: Talk, prompt: list[int], parts: int, budgets: list[int]) -> None:
    size = -(-len(prompt) // parts)
    for start in range(0, len(prompt), max(size, 1)):
        talk.go_on(0, prompt[start : start + size], max_instructions=budgets[start % len(budgets)])


def _generate_in_parts(talk: Talk, length: int, budgets: list[int]) -> None:
    turn = 0
    while len(talk.tokens) < length:
        left = length - len(talk.tokens)
        talk.go_on(min(left, 1 + turn % 4), max_instructions=budgets[turn % len(budgets)])
        turn += 1
