"""No text of a message yields a special token; harmless text is encoded as the model's own tokenizer would."""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models

from personal_ai.models.chat_template import DEFAULT_TEMPLATE, ChatTemplate, TemplateRefusedError
from personal_ai.models.messages import Message, Role
from personal_ai.models.template_worker import render
from personal_ai.models.tokenizer import ChatWords
from personal_ai.models.vocabulary import Vocabulary
from tests.support.chat_models import CHATML, FAMILIES, GEMMA, LLAMA_3, MISTRAL, PHI_3, ZEPHYR, Family

by_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
EVERY_SPECIAL_TEXT = sorted({text for family in FAMILIES for text in (*family.special, *family.ordinary)})


@cache
def words(family: Family) -> ChatWords:
    vocabulary = Vocabulary(*family.files())
    return ChatWords(vocabulary, ChatTemplate(family.template or DEFAULT_TEMPLATE, vocabulary.named_texts))


def conversation(family: Family, *contents: str) -> list[Message]:
    roles: list[Role] = ["user", "assistant"] * len(contents)
    if family.takes_system:
        roles.insert(0, "system")
    return [Message(role, content) for role, content in zip(roles, contents, strict=False)]


def special_count(family: Family, ids: list[int]) -> int:
    """How many special tokens there are, by the untamed tokenizer's own account."""
    tokenizer = family.tokenizer()
    unknown = {tokenizer.token_to_id("<unk>")}
    special = {tokenizer.token_to_id(text) for text in (*family.special, *family.ordinary)} - unknown
    return sum(token in special for token in ids)


def untamed(family: Family, messages: list[Message]) -> list[int]:
    """What transformers does: render the template with the messages in it, then encode it all at once."""
    vocabulary = Vocabulary(*family.files())
    context = {
        **vocabulary.named_texts,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "add_generation_prompt": True,
    }
    text = render(family.template or DEFAULT_TEMPLATE, context, 1_000_000)
    ids: list[int] = family.tokenizer().encode(text, add_special_tokens=False).ids
    return ids


@by_family
def test_harmless_conversations_are_encoded_as_the_model_was_trained(family: Family) -> None:
    for contents in (
        ("Hello there",),
        ("You are helpful.", "How are you today?", "I am fine, thank you.", "  Good  to hear\n"),
        (" leading", "trailing ", "def main():\n    return 42", "Grüße, привет, 你好世界 🙂🙂"),
    ):
        messages = conversation(family, *contents)
        assert words(family).encode_chat(messages) == untamed(family, messages)


@by_family
def test_the_special_tokens_of_the_template_are_there(family: Family) -> None:
    messages = conversation(family, "one", "two", "three")
    ids = words(family).encode_chat(messages)
    expected = {"ChatML": 7, "Llama 3": 12, "Gemma": 8, "Mistral": 6, "Zephyr": 3, "Phi 3": 7, "without a template": 0}
    assert special_count(family, ids) == expected[family.name]


@by_family
@pytest.mark.parametrize("hostile", EVERY_SPECIAL_TEXT)
def test_the_text_of_a_special_token_is_only_text(family: Family, hostile: str) -> None:
    harmless = special_count(family, words(family).encode_chat(conversation(family, "x", "y", "z")))
    for text in (
        hostile,
        f"a{hostile}b",
        f" {hostile}\n{hostile}{hostile}",
        f"{hostile[: len(hostile) // 2]}{hostile}",
    ):
        ids = words(family).encode_chat(conversation(family, text, text, text))
        assert special_count(family, ids) == harmless


@by_family
def test_it_is_encoded_as_if_there_were_no_special_tokens(family: Family) -> None:
    innocent = Tokenizer.from_str(json.dumps(json.loads(family.tokenizer().to_str()) | {"added_tokens": []}))
    for text in (*EVERY_SPECIAL_TEXT, "a</s>b<|im_end|>c"):
        ids = innocent.encode(text, add_special_tokens=False).ids
        assert words(family).vocabulary.encode([text]) == ids


@by_family
@given(data=st.data())
@settings(max_examples=60)
def test_no_text_at_all_yields_a_special_token(family: Family, data: st.DataObject) -> None:
    pieces = st.one_of(
        st.sampled_from(EVERY_SPECIAL_TEXT), st.text(max_size=12), st.sampled_from([" ", "\n", "▁", "<", ">"])
    )
    text = st.lists(pieces, max_size=6).map("".join)
    contents = [data.draw(text) for _ in range(3)]
    harmless = [content and "x" if content.strip() else "" for content in contents]
    expected = special_count(family, words(family).encode_chat(conversation(family, *harmless)))
    assert special_count(family, words(family).encode_chat(conversation(family, *contents))) == expected


@pytest.mark.parametrize("family", [CHATML, PHI_3], ids=lambda family: family.name)
def test_a_special_text_over_the_border_of_template_and_message_is_only_text(family: Family) -> None:
    """The template prints the first half, the message the second."""
    special = family.special[2]
    vocabulary = Vocabulary(*family.files())
    template = ChatTemplate("{{ '" + special[:3] + "' + messages[0]['content'] }}", vocabulary.named_texts)
    ids = ChatWords(vocabulary, template).encode_chat([Message("user", special[3:])])
    assert special_count(family, ids) == 0
    assert vocabulary.id_of(special) is not None


def test_a_vocabulary_that_spells_a_special_token_itself_is_cut_open() -> None:
    """Unigram and merge-less BPE vocabularies find `</s>` among their ordinary pieces."""
    pieces = [("</s>", 0.0), ("<unk>", -1.0), *((letter, -5.0) for letter in "</s>abc ▁")]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=1))
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens([AddedToken("</s>", normalized=False)])
    vocabulary = Vocabulary(tokenizer.to_str().encode(), json.dumps({"eos_token": "</s>"}).encode())
    naive = Tokenizer.from_str(tokenizer.to_str())
    naive.encode_special_tokens = True
    assert 0 in naive.encode("a</s>b").ids, "the danger is real"
    ids = vocabulary.encode(["a</s>b</s></s>c"])
    assert 0 not in ids
    assert "".join(str(naive.id_to_token(token)) for token in ids) == "a</s>b</s></s>c"


def test_unknown_characters_may_be_the_unknown_token() -> None:
    assert words(ZEPHYR).vocabulary.special_ids.isdisjoint({ZEPHYR.tokenizer().token_to_id("<unk>")})


@pytest.mark.parametrize("family", [GEMMA, MISTRAL], ids=lambda family: family.name)
def test_a_template_without_system_messages_gets_them_from_the_user(family: Family) -> None:
    ids = words(family).encode_chat([Message("system", "Be brief."), Message("user", "Hello")])
    assert ids == words(family).encode_chat([Message("user", "Be brief.\n\nHello")])


def test_a_refusal_names_the_templates_reason() -> None:
    with pytest.raises(TemplateRefusedError, match="take turns"):
        words(GEMMA).encode_chat([Message("user", "a"), Message("user", "b")])


@pytest.mark.parametrize(
    ("family", "end"),
    [(CHATML, "<|im_end|>"), (LLAMA_3, "<|eot_id|>"), (GEMMA, "<end_of_turn>"), (MISTRAL, "</s>"), (PHI_3, "<|end|>")],
    ids=lambda value: value.name if isinstance(value, Family) else value,
)
def test_the_token_that_ends_a_turn_is_found(family: Family, end: str) -> None:
    assert words(family).end_of_turn() == family.tokenizer().token_to_id(end)


def test_broken_halves_of_characters_are_replaced() -> None:
    ids = words(CHATML).encode_chat([Message("user", "a\ud83d")])
    assert ids == words(CHATML).encode_chat([Message("user", "a?")])


def test_spaces_that_mark_slots_stay_the_users() -> None:
    text = "\u2003\U000f0000\u2003 tricky \U000f0001"
    messages = conversation(CHATML, text, text)
    assert words(CHATML).encode_chat(messages) == untamed(CHATML, messages)
