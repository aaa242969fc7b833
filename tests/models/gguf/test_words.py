"""Vocabularies of GGUF files encode as the tokenizers that they were made of."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import gguf
import pytest
import sentencepiece
from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, trainers
from tokenizers import models as token_models

from personal_ai.common.errors import FormatError
from personal_ai.models.detection import open_foreign
from personal_ai.models.vocabulary import Vocabulary
from personal_ai.models.words import ForeignWords, proven_words
from tests.support.checkpoints import SPECIAL_TOKENS, Shape, write_checkpoint
from tests.support.gguf_files import write_gguf
from tests.support.texts import MULTILINGUAL

_SPLITS = {  # as the makers' tokenizer.json files have them
    name: r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
    + numbers
    + r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    for name, numbers in (("llama-bpe", r"\p{N}{1,3}"), ("qwen2", r"\p{N}"))
}


def byte_level(pre: str) -> Tokenizer:
    """A tokenizer of one of the families, trained on the corpus."""
    made = Tokenizer(token_models.BPE(ignore_merges=pre == "llama-bpe"))
    own_words = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pre not in _SPLITS)
    first = {
        "smollm": lambda: [pre_tokenizers.Digits(individual_digits=True)],
        "gpt-2": list,
    }.get(pre, lambda: [pre_tokenizers.Split(Regex(_SPLITS[pre]), "isolated")])
    made.pre_tokenizer = pre_tokenizers.Sequence([*first(), own_words])
    if pre == "qwen2":
        made.normalizer = normalizers.NFC()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(MULTILINGUAL, trainer)
    return made


@pytest.mark.parametrize("pre", ["gpt-2", "llama-bpe", "qwen2", "smollm"])
def test_byte_level_vocabularies(tmp_path: Path, pre: str) -> None:
    source = write_checkpoint(tmp_path / "source", Shape("qwen2", vocabulary=600, layers=1))
    theirs = byte_level(pre)
    theirs.save(str(source / "tokenizer.json"))
    with open_foreign(write_gguf(source, tmp_path / "m.gguf", pre=pre)) as model:
        ours = vocabulary(model.words())
    theirs.encode_special_tokens = True
    for text in MULTILINGUAL:
        assert ours.encode([text]) == theirs.encode(text, add_special_tokens=False).ids, text


@pytest.fixture(scope="module")
def pieces() -> sentencepiece.SentencePieceProcessor:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(MULTILINGUAL * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=560,
        byte_fallback=True,
        character_coverage=0.98,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        user_defined_symbols=["<think>", "▁▁"],
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def piece_facts(pieces: sentencepiece.SentencePieceProcessor) -> dict[str, Any]:
    """As llama.cpp's converter writes them."""
    kinds = [
        (pieces.is_unknown, gguf.TokenType.UNKNOWN),
        (pieces.is_control, gguf.TokenType.CONTROL),
        (pieces.is_byte, gguf.TokenType.BYTE),
    ]
    ids = range(pieces.get_piece_size())
    types = [next((int(kind) for test, kind in kinds if test(id_)), 1) for id_ in ids]
    for id_ in ids:
        if pieces.id_to_piece(id_) in ("<think>", "▁▁"):
            types[id_] = int(gguf.TokenType.USER_DEFINED)
    return {
        "tokenizer__ggml__model": "llama",
        "tokenizer__ggml__tokens": [pieces.id_to_piece(id_) for id_ in ids],
        "tokenizer__ggml__scores": [float(pieces.get_score(id_)) for id_ in ids],
        "tokenizer__ggml__token_type": types,
        "tokenizer__ggml__bos_token_id": 1,
        "tokenizer__ggml__unknown_token_id": 0,
    }


def test_sentencepiece_vocabularies(tmp_path: Path, pieces: sentencepiece.SentencePieceProcessor) -> None:
    source = write_checkpoint(tmp_path / "source", Shape("llama", vocabulary=600, layers=1))
    with open_foreign(write_gguf(source, tmp_path / "m.gguf", **piece_facts(pieces))) as model:
        words = model.words()
    ours = vocabulary(words)
    for text in MULTILINGUAL:
        ids = ours.encode([text])
        assert ids == pieces.encode(text), text
        decoder = ours.decoder()
        assert "".join(map(decoder.push, ids)) + decoder.flush() == text
    assert json.loads(words.settings_json)["add_bos_token"]
    assert json.loads(words.settings_json)["bos_token"] == "<s>"
    assert [token.text for token in ours.special_tokens] == ["<s>", "</s>", "<think>", "<unk>"]


def test_a_plain_template_begins_as_the_vocabulary_does(
    tmp_path: Path, pieces: sentencepiece.SentencePieceProcessor
) -> None:
    source = write_checkpoint(tmp_path / "source", Shape("llama", vocabulary=600, layers=1))
    facts = piece_facts(pieces) | {"tokenizer__chat_template": ""}
    with open_foreign(write_gguf(source, tmp_path / "m.gguf", **facts)) as model:
        assert proven_words(model.words(), 600).files["chat_template.jinja"].startswith(b"{{ bos_token }}")


@pytest.mark.parametrize(
    "facts",
    [
        {"tokenizer__ggml__tokens": [1, 2]},
        {"tokenizer__ggml__token_type": [1, 2]},
        {"tokenizer__ggml__merges": ["a b c"]},
        {"tokenizer__ggml__merges": ["zz zz"]},
        {"tokenizer__ggml__model": "llama"},
        {"tokenizer__ggml__model": "llama", "tokenizer__ggml__scores": [0.0]},
        {"tokenizer__ggml__bos_token_id": 10_000},
    ],
    ids=str,
)
def test_vocabularies_that_do_not_hold_are_refused(tmp_path: Path, facts: dict[str, Any]) -> None:
    source = write_checkpoint(tmp_path / "source", Shape("llama", layers=1))
    with (
        pytest.raises(FormatError),
        open_foreign(write_gguf(source, tmp_path / "m.gguf", **facts)) as model,
    ):
        proven_words(model.words(), 384)


def vocabulary(words: ForeignWords) -> Vocabulary:
    return Vocabulary(words.tokenizer_json, words.settings_json)
