"""A new conversation begins with what another one has computed of its tokens, and says what it would say alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.canister.upload import Upload
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.sampling import Sampling
from tests.canister.installed import Installed, Network
from tests.canister.models import GREEDY, SAMPLED, Talk, forget, load, make_upload
from tests.support.checkpoints import Shape

CONTEXT = 96
SHAPE = Shape(context=CONTEXT)
VOCABULARY = 384
SYSTEM = list(range(100, 140))


@pytest.fixture(scope="module", params=["int8", "f32"])
def quantisation(request: pytest.FixtureRequest) -> Quantisation:
    """Keys and values are kept in 8 bits or as f32."""
    chosen: Quantisation = request.param
    return chosen


@pytest.fixture(scope="module")
def upload(quantisation: Quantisation, tmp_path_factory: pytest.TempPathFactory) -> Upload:
    return make_upload(tmp_path_factory.mktemp("model"), SHAPE, quantisation=quantisation)


@pytest.fixture(scope="module")
def loaded(network: Network, upload: Upload) -> Installed:
    canister = network.canister()
    load(canister.client, upload)
    return canister


@pytest.fixture(autouse=True)
def empty(loaded: Installed) -> None:
    forget(loaded.client)


def _computed(canister: Installed) -> int:
    return canister.client.status().counters.tokens_computed


def _alone(canister: Installed, prompt: list[int], count: int, sampling: Sampling = GREEDY) -> list[int]:
    """What a conversation says where there is no other. The others are lost."""
    forget(canister.client)
    talk = Talk(canister.client, [], sampling=sampling)
    talk.go_on(count, prompt)
    return talk.tokens


def test_a_system_prompt_is_computed_once_for_all_chats(loaded: Installed) -> None:
    Talk(loaded.client, [], b"ahead").go_on(0, SYSTEM)
    chats = []
    for number in range(3):
        before = _computed(loaded)
        chats.append(Talk(loaded.client, [], bytes([number])))
        chats[-1].go_on(4, [*SYSTEM, number, 7])
        assert _computed(loaded) - before == 2 + 3, "the question, and all of the reply but its last token"
    for number, chat in enumerate(chats):
        assert chat.tokens == _alone(loaded, [*SYSTEM, number, 7], 4)


def test_status_says_how_keys_and_values_are_kept(loaded: Installed, quantisation: Quantisation) -> None:
    model = loaded.client.status().model
    assert model is not None and model.loaded is not None
    assert model.loaded.kept_bits == {"int8": 8, "f32": 32}[quantisation]
    numbers = CONTEXT * 2 * SHAPE.layers * SHAPE.key_value_heads * SHAPE.head_dim
    assert model.loaded.conversation_bytes > model.loaded.kept_bits // 8 * numbers


def test_only_what_is_computed_is_shared(loaded: Installed) -> None:
    Talk(loaded.client, [], b"half").go_on(0, SYSTEM, max_instructions=1)
    before = _computed(loaded)
    Talk(loaded.client, [], b"whole").go_on(0, SYSTEM)
    assert _computed(loaded) - before == len(SYSTEM) - 1


def test_what_leaves_for_a_new_conversation_is_used_in_its_place(loaded: Installed) -> None:
    Talk(loaded.client, [], b"oldest").go_on(2, SYSTEM)
    for number in range(15):
        Talk(loaded.client, [], bytes([number])).go_on(1, [number, 7])
    before = _computed(loaded)
    new = Talk(loaded.client, [], b"new")
    new.go_on(4, [*SYSTEM, 9])
    assert _computed(loaded) - before == 1 + 3
    assert b"oldest" not in {held.id for held in loaded.client.status().conversations}
    assert new.tokens == _alone(loaded, [*SYSTEM, 9], 4)


_chats = st.lists(
    st.tuples(
        st.integers(0, len(SYSTEM)),  # so many tokens of the system prompt
        st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=20),
        st.integers(0, 12),  # tokens to generate
        st.booleans(),  # as a query, which keeps nothing
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=15)
@given(chats=_chats, sampling=st.sampled_from([GREEDY, SAMPLED]))
def test_any_chats_with_any_beginnings_in_common_say_what_they_say_alone(
    loaded: Installed, chats: list[tuple[int, list[int], int, bool]], sampling: Sampling
) -> None:
    forget(loaded.client)
    said = []
    for number, (beginning, words, count, query) in enumerate(chats):
        talk = Talk(loaded.client, [], bytes([number]), sampling)
        talk.go_on(count, [*SYSTEM[:beginning], *words], query=query)
        said.append(talk.tokens)
    for (beginning, words, count, _), tokens in zip(chats, said, strict=True):
        assert tokens == _alone(loaded, [*SYSTEM[:beginning], *words], count, sampling)
