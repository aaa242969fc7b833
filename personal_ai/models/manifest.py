"""manifest.json: what a model package says about itself. docs/formats/manifest.md describes the format."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Final, Self

from personal_ai.common.errors import BadInputError, FormatError, UnknownVersionError
from personal_ai.models.decoder import Activation, Decoder, Llama3Scaling, PairScaling, Rope, RopeScaling, Windows
from personal_ai.models.encoders.encoder import Encoder, Pooling
from personal_ai.models.fields import Fields, parse_json
from personal_ai.models.quantisation import QUANTISATIONS, Quantisation

MANIFEST_FILE = "manifest.json"
MODEL_FILE = "model.onnx"
DATA_FILE = "model.onnx.data"
TOKENIZER_FILE = "tokenizer.json"
TOKENIZER_CONFIG_FILE = "tokenizer_config.json"
TEMPLATE_FILE = "chat_template.jinja"
WEIGHT_FILES: Final = (MODEL_FILE, DATA_FILE)
WORD_FILES: Final = (TOKENIZER_FILE, TOKENIZER_CONFIG_FILE, TEMPLATE_FILE)

MANIFEST_FORMAT = "personal-ai model package"
MANIFEST_VERSION = 1
_POOLINGS: tuple[Pooling, ...] = ("mean", "first")
_ACTIVATIONS: tuple[Activation, ...] = ("silu", "gelu", "gelu_tanh")
MAX_MANIFEST_SIZE_BYTES = 1 << 20
_MAX_TEXT_LENGTH = 2000
_MAX_TOKEN = 1 << 20
_MAX_SIZE_BYTES = 1 << 42
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_RESERVED_NAME = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?|.*\.")  # Windows cannot have such folders


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a file of the package must be."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of manifest.json. `name` is the folder's; `label` and `description` are for people."""

    name: str
    label: str
    description: str
    licence: str
    source: str
    revision: str
    quantisation: Quantisation
    parameters: int
    end_tokens: tuple[int, ...]
    stop_texts: tuple[str, ...]
    network: Decoder | Encoder
    files: dict[str, FileRecord]

    @property
    def context_length(self) -> int:
        """The most tokens that prompt and reply may have together."""
        return self.network.context_length

    @property
    def architecture(self) -> str:
        return self.network.architecture

    @property
    def decoder(self) -> Decoder:
        """Raises BadInputError where the model is an encoder."""
        if not isinstance(self.network, Decoder):
            raise BadInputError(
                f"{self.label or self.name} turns texts into numbers; it does not write.",
                next_step="Choose another model for a chat.",
            )
        return self.network

    @property
    def encoder(self) -> Encoder:
        """Raises BadInputError where the model is a decoder."""
        if not isinstance(self.network, Encoder):
            raise BadInputError(
                f"{self.label or self.name} writes text; it does not turn texts into numbers.",
                next_step="Choose an embedding model.",
            )
        return self.network

    def to_bytes(self) -> bytes:
        """The file's content: equal manifests are equal bytes."""
        head = {"format": MANIFEST_FORMAT, "version": MANIFEST_VERSION}
        content = dataclasses.asdict(self)
        content["encoder" if isinstance(self.network, Encoder) else "decoder"] = content.pop("network")
        text = json.dumps(head | content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
        return text.encode() + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises UnknownVersionError, FormatError."""
        fields = Fields(parse_json(data, MANIFEST_FILE), MANIFEST_FILE)
        if fields.raw("format") != MANIFEST_FORMAT:
            raise FormatError(f"{MANIFEST_FILE} is not of a model package.")
        if fields.raw("version") != MANIFEST_VERSION:
            raise UnknownVersionError(
                f"This model package is of version {str(fields.raw('version'))[:20]}; "
                f"this program knows version {MANIFEST_VERSION}.",
                next_step="Update the program or import the model again.",
            )
        return cls(
            name=checked_name(fields.text("name", 64)),
            **{
                name: fields.text(name, _MAX_TEXT_LENGTH)
                for name in ("label", "description", "licence", "source", "revision")
            },
            quantisation=fields.choice("quantisation", QUANTISATIONS),
            parameters=fields.integer("parameters", 1, 1 << 50),
            end_tokens=fields.integers("end_tokens", _MAX_TOKEN, 64),
            stop_texts=fields.texts("stop_texts", 200, 16),
            network=_encoder(fields.fields("encoder")) if "encoder" in fields else _decoder(fields.fields("decoder")),
            files=_files(fields.fields("files")),
        )


def checked_name(name: str) -> str:
    """The name itself where it can be a folder's on every system. Raises BadInputError."""
    if not _NAME.fullmatch(name) or _RESERVED_NAME.fullmatch(name):
        raise BadInputError(
            f"{name[:80]!r} cannot be a model's name.",
            next_step="Use up to 64 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit.",
        )
    return name


def name_from(text: str) -> str:
    """A name made from any text, such as a folder's."""
    slug = re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("._-")[:64].rstrip("._-")
    return slug if slug and not _RESERVED_NAME.fullmatch(slug) else "model"


def _files(fields: Fields) -> dict[str, FileRecord]:
    if set(fields) != {*WEIGHT_FILES, *WORD_FILES}:
        raise FormatError(f"{MANIFEST_FILE} does not list the files of a model package.")
    return {name: _file_record(fields.fields(name)) for name in (*WEIGHT_FILES, *WORD_FILES)}


def _file_record(fields: Fields) -> FileRecord:
    sha256 = fields.text("sha256", 64)
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise FormatError(f"{MANIFEST_FILE}: a hash must be 64 hexadecimal digits.")
    return FileRecord(sha256, fields.integer("size_bytes", 0, _MAX_SIZE_BYTES))


def _decoder(fields: Fields) -> Decoder:
    def size(name: str) -> int:
        return fields.integer(name, 1, 1 << 24)

    return Decoder(
        architecture=fields.text("architecture", 64),
        vocabulary_size=size("vocabulary_size"),
        hidden_size=size("hidden_size"),
        layer_count=size("layer_count"),
        head_count=size("head_count"),
        key_value_head_count=size("key_value_head_count"),
        head_size=size("head_size"),
        intermediate_size=size("intermediate_size"),
        context_length=size("context_length"),
        norm_epsilon=fields.number("norm_epsilon", 0.0, 1.0),
        activation=fields.choice("activation", _ACTIVATIONS),
        rope=_rope(fields.fields("rope")) if "rope" in fields else None,
        tied_embedding=fields.boolean("tied_embedding"),
        qkv_bias=fields.boolean("qkv_bias"),
        output_bias=fields.boolean("output_bias"),
        mlp_bias=fields.boolean("mlp_bias"),
        qk_norm=fields.boolean("qk_norm"),
        windows=_windows(fields.fields("windows")) if "windows" in fields else None,
        post_norms=fields.boolean("post_norms", False),
        embedding_scale=fields.number("embedding_scale", 0.0, 1e6, 1.0),
        attention_scale=fields.number("attention_scale", 0.0, 1e6) if "attention_scale" in fields else None,
        rotary_size=fields.integer("rotary_size", 0, 1 << 24, 0),
        logit_cap=fields.number("logit_cap", 0.0, 1e6, 0.0),
    )


def _encoder(fields: Fields) -> Encoder:
    sizes = ("vocabulary_size", "hidden_size", "layer_count", "head_count", "intermediate_size", "context_length")
    return Encoder(
        architecture=fields.text("architecture", 64),
        **{name: fields.integer(name, 1, 1 << 24) for name in sizes},
        first_position=fields.integer("first_position", 0, 1 << 20),
        token_types=fields.integer("token_types", 0, 1 << 10),
        norm_epsilon=fields.number("norm_epsilon", 0.0, 1.0),
        activation=fields.choice("activation", _ACTIVATIONS),
        pooling=fields.choice("pooling", _POOLINGS),
        unit_length=fields.boolean("unit_length"),
    )


def _windows(fields: Fields) -> Windows:
    rope = _rope(fields.fields("rope")) if "rope" in fields else None
    return Windows(fields.integer("size", 1, 1 << 24), fields.integers("layers", 1 << 24, 1 << 12), rope)


def _rope(fields: Fields) -> Rope:
    theta = fields.number("theta", 1.0, 1e12)
    if "scaling" not in fields:
        return Rope(theta)
    return Rope(theta, _rope_scaling(fields.fields("scaling")))


def _rope_scaling(scaling: Fields) -> RopeScaling:
    """The first packages knew one kind and did not name it."""
    if scaling.text("kind", 16, "llama3") == "pairs":
        return PairScaling(scaling.numbers("divisors", 1e-3, 1e6, 512), scaling.number("amplitude", 1e-3, 1e6))
    low, high = (scaling.number(f"{end}_frequency_factor", 1e-3, 1e6) for end in ("low", "high"))
    original = scaling.integer("original_context_length", 1, 1 << 24)
    return Llama3Scaling(scaling.number("factor", 1.0, 1e6), low, high, original)
