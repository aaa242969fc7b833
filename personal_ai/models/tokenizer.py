"""Conversations to tokens and back. **No text of a message ever yields a special token.**

The method: the template is rendered without the messages (`chat_template`). Special tokens are looked for in the
template's own text alone. What lies between two of them, template and messages together as the model was trained, is
encoded by a tokenizer that knows no special token (`vocabulary`).
"""

from __future__ import annotations

from collections.abc import Sequence

from personal_ai.models.chat_template import ChatTemplate, Skeleton, Slot, TemplateRefusedError
from personal_ai.models.manifest import TEMPLATE_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.stream_decoder import StreamDecoder
from personal_ai.models.vocabulary import SpecialToken, Vocabulary


class ChatTokenizer:
    """The tokenizer and the chat template of a package. Raises DamagedFileError, FormatError, UnsupportedModelError."""

    def __init__(self, package: ModelPackage) -> None:
        vocabulary = Vocabulary(package.read(TOKENIZER_FILE), package.read(TOKENIZER_CONFIG_FILE))
        template = ChatTemplate(package.read(TEMPLATE_FILE).decode(errors="replace"), vocabulary.named_texts)
        self._words = ChatWords(vocabulary, template)
        self.end_tokens = frozenset(package.manifest.end_tokens)

    def encode_chat(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> list[int]:
        """The tokens of a conversation, ready for the model's reply where `add_generation_prompt`.

        A template that takes no system message gets it as the beginning of the first user message.
        Raises TemplateRefusedError when the template does not take the conversation.
        """
        return self._words.encode_chat(messages, add_generation_prompt)

    def encode_text(self, text: str) -> list[int]:
        """The tokens of plain text, no special one among them."""
        return self._words.vocabulary.encode([text])

    def decoder(self) -> StreamDecoder:
        """A decoder for one reply."""
        return self._words.vocabulary.decoder()


class ChatWords:
    """A vocabulary and a template that fit each other."""

    def __init__(self, vocabulary: Vocabulary, template: ChatTemplate) -> None:
        self.vocabulary = vocabulary
        self._template = template

    def encode_chat(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> list[int]:
        """See `ChatTokenizer.encode_chat`."""
        try:
            skeleton = self._template.skeleton(messages, add_generation_prompt=add_generation_prompt)
        except TemplateRefusedError:
            merged = _without_system(messages)
            if merged is None:
                raise
            messages = merged
            skeleton = self._template.skeleton(messages, add_generation_prompt=add_generation_prompt)
        return self.vocabulary.encode(self._filled(skeleton, messages))

    def end_of_turn(self) -> int | None:
        """The special token that the template prints right after a reply, if it does. Raises TemplateRefusedError."""
        talk = (Message("user", "?"), Message("assistant", "!"))
        skeleton = self._template.skeleton(talk, add_generation_prompt=False)
        places = [index for index, piece in enumerate(skeleton) if isinstance(piece, Slot) and piece.index == 1]
        if not places:
            return None
        after = "".join(piece for piece in skeleton[places[-1] + 1 :] if isinstance(piece, str))
        following = next(self.vocabulary.split(after.lstrip()), None)
        return following.id if isinstance(following, SpecialToken) else None

    def _filled(self, skeleton: Skeleton, messages: Sequence[Message]) -> list[str | SpecialToken]:
        parts: list[str | SpecialToken] = []
        for piece in skeleton:
            if isinstance(piece, Slot):
                parts.append(piece.fill(messages[piece.index].content))
            else:
                parts += self.vocabulary.split(piece)
        return parts


def _without_system(messages: Sequence[Message]) -> list[Message] | None:
    """The same conversation with the system message said by the user; None where that cannot be."""
    match list(messages):
        case [Message(role="system") as system, Message(role="user") as user, *rest]:
            return [Message("user", f"{system.content}\n\n{user.content}"), *rest]
    return None
