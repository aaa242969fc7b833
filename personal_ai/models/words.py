"""The words of a foreign model: its tokenizer, its chat template, and the tokens that end a reply."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models import huggingface
from personal_ai.models.chat_template import DEFAULT_STOP_TEXTS, DEFAULT_TEMPLATE, ChatTemplate
from personal_ai.models.fields import Fields, parse_json, read_bounded, read_json
from personal_ai.models.manifest import TEMPLATE_FILE, TOKENIZER_CONFIG_FILE, TOKENIZER_FILE
from personal_ai.models.tokenizer import ChatWords
from personal_ai.models.vocabulary import MAX_TOKENIZER_SIZE_BYTES, Vocabulary

_GENERATION_CONFIG_FILE: Final = "generation_config.json"
_MAX_CONFIG_SIZE_BYTES = 16 << 20
_MAX_TEMPLATE_SIZE_BYTES = 1 << 20
_CLASSES_THAT_BEGIN_TEXTS = ("LlamaTokenizer", "LlamaTokenizerFast")  # with bos_token, unless told otherwise


@dataclass(frozen=True, slots=True)
class Words:
    """The package's small files as they will be written, and what they tell."""

    files: dict[str, bytes]
    end_tokens: tuple[int, ...]
    stop_texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ForeignWords:
    """The words as a model's makers gave them, in Hugging Face's formats; `template` None where there is none."""

    tokenizer_json: bytes
    settings_json: bytes
    template: str | None
    end_tokens: tuple[int, ...]


def folder_words(source: Path, config: Fields) -> ForeignWords:
    """Reads them from a Hugging Face folder. Raises UnsupportedModelError, FormatError."""
    if not (source / TOKENIZER_FILE).is_file():
        reason = f"There is no {TOKENIZER_FILE}; older tokenizer formats are not read."
        raise UnsupportedModelError("The model's tokenizer cannot be used.", (reason,))
    tokenizer_json = read_bounded(source / TOKENIZER_FILE, MAX_TOKENIZER_SIZE_BYTES)
    path = source / TOKENIZER_CONFIG_FILE
    settings_json = read_bounded(path, _MAX_CONFIG_SIZE_BYTES) if path.is_file() else b"{}\n"
    settings = Fields(parse_json(settings_json, TOKENIZER_CONFIG_FILE), TOKENIZER_CONFIG_FILE)
    ends = (*huggingface.end_tokens(config), *_generation_end_tokens(source))
    return ForeignWords(tokenizer_json, settings_json, _template(source, settings), ends)


def proven_words(foreign: ForeignWords, vocabulary_size: int) -> Words:
    """Tries them. A model without a template gets a plain one.

    vocabulary_size: the model's. Raises UnsupportedModelError, FormatError, TemplateRefusedError.
    """
    settings = Fields(parse_json(foreign.settings_json, TOKENIZER_CONFIG_FILE), TOKENIZER_CONFIG_FILE)
    vocabulary = Vocabulary(foreign.tokenizer_json, foreign.settings_json)
    # Gemma's tokenizers have a special token for images that its text models do not know; no text yields it.
    size = vocabulary.size_in_text
    if size > vocabulary_size:
        raise FormatError(f"The tokenizer has {size:,} tokens, the model only {vocabulary_size:,}: they do not fit.")
    template = _plain_template(settings) if foreign.template is None else foreign.template
    end_of_turn = ChatWords(vocabulary, ChatTemplate(template, vocabulary.named_texts)).end_of_turn()
    named_end = vocabulary.id_of(vocabulary.named_texts.get("eos_token", ""))
    ends = {end_of_turn, named_end, *foreign.end_tokens}
    return Words(
        files={
            TOKENIZER_FILE: foreign.tokenizer_json,
            TOKENIZER_CONFIG_FILE: foreign.settings_json,
            TEMPLATE_FILE: template.encode(),
        },
        end_tokens=tuple(sorted(token for token in ends if token is not None and token < vocabulary_size)),
        stop_texts=DEFAULT_STOP_TEXTS if foreign.template is None else (),
    )


def _template(source: Path, settings: Fields) -> str | None:
    """The file chat_template.jinja, else what tokenizer_config.json holds: one text, or several by name."""
    if (source / TEMPLATE_FILE).is_file():
        return read_bounded(source / TEMPLATE_FILE, _MAX_TEMPLATE_SIZE_BYTES).decode(errors="replace")
    match settings.raw("chat_template"):
        case str(text):
            return text.encode(errors="replace").decode()
        case [*entries]:
            named = {entry.get("name"): entry.get("template") for entry in entries if isinstance(entry, dict)}
            default = named.get("default")
            return default.encode(errors="replace").decode() if isinstance(default, str) else None
    return None


def _plain_template(settings: Fields) -> str:
    """For models that know no template; begun as the tokenizer begins every text."""
    by_class = settings.raw("tokenizer_class") in _CLASSES_THAT_BEGIN_TEXTS
    begins = settings.boolean("add_bos_token", by_class) and "bos_token" in settings
    return ("{{ bos_token }}" if begins else "") + DEFAULT_TEMPLATE


def _generation_end_tokens(source: Path) -> tuple[int, ...]:
    path = source / _GENERATION_CONFIG_FILE
    return huggingface.end_tokens(Fields(read_json(path), path.name)) if path.is_file() else ()
