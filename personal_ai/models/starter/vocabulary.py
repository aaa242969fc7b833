"""The starter model's tokenizer: byte-level BPE trained on its own texts, and its ChatML-like template."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from personal_ai.models.starter.corpus import Corpus

VOCABULARY_SIZE = 2048
START, END = "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def train_tokenizer(corpus: Corpus) -> Tokenizer:
    """Byte-level BPE over every training text. Held-out questions are not among them."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=[END, START],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(corpus), trainer)
    return tokenizer


def special_token(tokenizer: Tokenizer, text: str) -> int:
    """The id of START or END."""
    token = tokenizer.token_to_id(text)
    assert token is not None
    return token


class ChatEncoder:
    """Encodes conversations as the template says; words of a person never become a special token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = Tokenizer.from_str(tokenizer.to_str())
        self._tokenizer.encode_special_tokens = True
        self._start, self.end = special_token(tokenizer, START), special_token(tokenizer, END)
        self._newline = self.text("\n")
        self._user, self._assistant = self.text("user\n"), self.text("assistant\n")

    def text(self, text: str) -> list[int]:
        """The tokens of plain text."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def question(self, question: Sequence[int]) -> list[int]:
        """A user's message and the opening of the answer."""
        return [self._start, *self._user, *question, self.end, *self._newline, self._start, *self._assistant]

    def answer(self, answer: Sequence[int]) -> list[int]:
        """An answer with the token that ends it; the newline after it belongs to the next message."""
        return [*answer, self.end]

    def next_message(self) -> list[int]:
        """What stands between an ended answer and the next message."""
        return self._newline


def _texts(corpus: Corpus) -> list[str]:
    questions = [text for intent in corpus.all_intents for text in intent.wordings]
    answers = [intent.answer for intent in corpus.all_intents]
    slot_words = [word for listed in corpus.slot_words.values() for word in listed]
    lowered = [text.lower() for text in questions]
    # Roles and answers count more than once: they are written with every reply.
    return [*questions, *lowered, *answers * 4, *corpus.patterns, *slot_words, *["user\n", "assistant\n"] * 50]
