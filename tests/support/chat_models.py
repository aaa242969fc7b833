"""Tokenizers and chat templates of the common families, small but spelled as the real ones are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

_TEXT = [
    "The quick brown fox jumps over the lazy dog while the user asks the assistant a question.",
    "system user assistant You are helpful. Hello there, how are you today? I am fine, thank you.",
    "def main():\n    return 42\n\nGrüße aus Zürich, привет мир, 你好世界 🙂",
    "[INST] [/INST] <|im_start|> <|im_end|> </s> <s> <start_of_turn> <end_of_turn> <|eot_id|> <unk> <think>",
]


@dataclass(frozen=True, eq=False)
class Family:
    """What a model of this family has in its folder, and text that its template prints around a message."""

    name: str
    template: str | None
    special: tuple[str, ...]
    config: dict[str, Any]
    spelling: str
    ordinary: tuple[str, ...] = ()
    takes_system: bool = True
    swallows_right: tuple[str, ...] = field(default=())

    def tokenizer(self) -> Tokenizer:
        return _tokenizer(self.spelling, self.special, self.ordinary, self.swallows_right)

    def files(self) -> tuple[bytes, bytes]:
        """tokenizer.json and tokenizer_config.json."""
        return self.tokenizer().to_str().encode(), json.dumps(self.config).encode()


CHATML = Family(
    name="ChatML",
    template=(
        "{%- for message in messages %}\n"
        "    {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}\n"
        "{%- endfor %}\n"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}\n"
    ),
    special=("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    ordinary=("<think>", "</think>", "<tool_call>"),  # added tokens that the file does not call special
    config={"eos_token": "<|im_end|>", "bos_token": None},
    spelling="byte-level",
)
LLAMA_3 = Family(
    name="Llama 3",
    template=(
        "{{- bos_token }}{% for message in messages %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
        "{{- message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
    ),
    special=("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|end_of_text|>"),
    config={"bos_token": "<|begin_of_text|>", "eos_token": {"content": "<|end_of_text|>"}},
    spelling="byte-level",
)
GEMMA = Family(
    name="Gemma",
    template=(
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system message') }}{% endif %}"
        "{% for message in messages %}"
        "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('take turns') }}{% endif %}"
        "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
        "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim + '<end_of_turn>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
    ),
    special=("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"),
    config={"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>"},
    spelling="sentencepiece",
    takes_system=False,
)
MISTRAL = Family(
    name="Mistral",
    template=(
        "{{ bos_token }}{% for message in messages %}"
        "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
        "{% elif message['role'] == 'assistant' %}{{ ' ' + message['content'].strip() + eos_token }}"
        "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
    ),
    special=("<unk>", "<s>", "</s>"),
    ordinary=("[INST]", "[/INST]"),
    config={"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    spelling="metaspace",
    takes_system=False,
)
ZEPHYR = Family(
    name="Zephyr",
    template=(
        "{% for message in messages %}\n{% if message['role'] == 'user' %}\n"
        "{{ '<|user|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n"
        "{{ '<|system|>\\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n"
        "{{ '<|assistant|>\\n' + message['content'] + eos_token }}\n{% endif %}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
    ),
    special=("<unk>", "<s>", "</s>"),
    config={"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    spelling="prepended",
)
PHI_3 = Family(
    name="Phi 3",
    template=(
        "{% for message in messages %}"
        "{{ '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% endif %}"
    ),
    special=("<unk>", "<s>", "<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    swallows_right=("<|system|>", "<|user|>", "<|assistant|>", "<|end|>"),
    config={"bos_token": "<s>", "eos_token": "<|endoftext|>", "unk_token": "<unk>"},
    spelling="prepended",
)
PLAIN = Family(
    name="without a template",
    template=None,
    special=("<|endoftext|>",),
    config={"bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"},
    spelling="byte-level",
)
FAMILIES = (CHATML, LLAMA_3, GEMMA, MISTRAL, ZEPHYR, PHI_3, PLAIN)


@cache
def _tokenizer(
    spelling: str, special: tuple[str, ...], ordinary: tuple[str, ...], swallows_right: tuple[str, ...]
) -> Tokenizer:
    made = _byte_level(special) if spelling == "byte-level" else _spaces(spelling, special)
    made.add_special_tokens(
        [AddedToken(text, rstrip=text in swallows_right, normalized=False, special=True) for text in special]
    )
    made.add_tokens([AddedToken(text, normalized=False, special=False) for text in ordinary])
    return made


def _byte_level(special: tuple[str, ...]) -> Tokenizer:
    made = Tokenizer(models.BPE(ignore_merges=True))
    split = Regex(r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(split, "isolated"), byte_level])
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=420, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    made.train_from_iterator(_TEXT, trainer)
    return made


def _spaces(spelling: str, special: tuple[str, ...]) -> Tokenizer:
    """BPE over characters with bytes to fall back on: spaces are U+2581, by one of the three ways in use."""
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = pre_tokenizers.Metaspace(split=True)
    learner.train_from_iterator(_TEXT, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    learned = json.loads(learner.to_str())["model"]
    pieces = sorted(learned["vocab"], key=learned["vocab"].get)
    vocabulary = {text: index for index, text in enumerate(dict.fromkeys((*special, *byte_tokens, "▁", *pieces)))}
    merges = [tuple(merge) for merge in learned["merges"]]
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if spelling == "sentencepiece":
        made.normalizer = normalizers.Replace(" ", "▁")
    elif spelling == "metaspace":
        made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
        steps.append(decoders.Strip(" ", 1, 0))
    else:
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        steps.append(decoders.Strip(" ", 1, 0))
    made.decoder = decoders.Sequence(steps)
    return made
