"""What fetching a model would mean, told before anything large is fetched: the files, their size, the licence."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from personal_ai.common.errors import FormatError, SecurityError, UnsupportedModelError
from personal_ai.common.jobs import Cancel
from personal_ai.models import huggingface
from personal_ai.models.decoder import Decoder
from personal_ai.models.fields import MAX_JSON_SIZE_BYTES, Fields, parse_json
from personal_ai.models.gguf.config import huggingface_config
from personal_ai.models.gguf.weights import HEAD
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.errors import HubNotFoundError, WrongContentError
from personal_ai.models.hub.gguf_choice import choose, is_gguf_name, read_head
from personal_ai.models.hub.names import HubName, is_commit
from personal_ai.models.manifest import WORD_FILES

_CONFIG_FILE: Final = "config.json"
_TOKENIZER_FILE: Final = "tokenizer.json"
_SINGLE_FILE: Final = "model.safetensors"
_INDEX_FILE: Final = "model.safetensors.index.json"
_NEEDED: Final = (_CONFIG_FILE, _TOKENIZER_FILE)
_README_FILE: Final = "README.md"
_TAKEN_ALONG: Final = ("generation_config.json", "tokenizer_config.json", "chat_template.jinja", _README_FILE)
_LICENCE_TEXT = re.compile(r"LICEN[CS]E(\.md|\.txt)?", re.IGNORECASE)
_PICKLE = re.compile(r".*\.(bin|pt|pth|ckpt|pkl|pickle)")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_SHA256, _GIT_SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_LICENCE = re.compile(r"[\w.+ -]{1,80}")
_MAX_ENTRIES = 10_000
_MAX_PAGES = 20
_MAX_SHARDS = 1000
_MAX_SIZE_BYTES = 1 << 42
_MAX_INDEX_SIZE_BYTES = 16 << 20
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of one commit. `digest`: the content's SHA-256 (64 digits), or a small file's SHA-1 by git (40 digits)."""

    name: str
    size_bytes: int
    digest: str

    def new_hash(self) -> hashlib._Hash:
        """The running hash whose end is `digest`. Git hashes a header with the size before the content."""
        if len(self.digest) == 64:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % self.size_bytes, usedforsecurity=False)

    def is_content(self, content: bytes) -> bool:
        running = self.new_hash()
        running.update(content)
        return len(content) == self.size_bytes and running.hexdigest() == self.digest


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model of a hub at one commit, and just the files that an import needs.

    gated: terms must be accepted. decoder: what its config.json or its GGUF file's head says, before any weight is
    fetched. others: the GGUF files that could be taken instead. head_size_bytes: of the GGUF file, words included.
    """

    id: str
    commit: str
    licence: str
    gated: bool
    files: tuple[HubFile, ...]
    decoder: Decoder
    others: tuple[HubFile, ...] = ()
    head_size_bytes: int = 0

    @property
    def selection(self) -> str:
        """What names it to `plan`, its file too where it is one of a GGUF repository's."""
        file = next((file.name for file in self.files if is_gguf_name(file.name)), "")
        return f"{self.id}:{file}" if file else self.id

    @property
    def words_size_bytes(self) -> int:
        """Of tokenizer and template, which become part of the package as they are; of a GGUF file's about as much."""
        return self.head_size_bytes + sum(file.size_bytes for file in self.files if file.name in WORD_FILES)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def path(self, file: HubFile) -> str:
        """Where the hub serves a file."""
        return _path(self.id, self.commit, file.name)


def _path(model_id: str, commit: str, file_name: str) -> str:
    return f"/{model_id}/resolve/{commit}/{quote(file_name)}"


def plan(hub: Hub, wanted: str, cancel: Cancel | None = None) -> HubModel:
    """Looks up `owner/name[:file][@revision]` and settles on one commit; fetches no more than config and index.

    Where there are no safetensors, or a file is named, a GGUF file is taken, and its head is fetched.

    Raises BadInputError for an id that is none, HubNotFoundError, HubAccessError, UnsupportedModelError with the
    reasons, FormatError and SecurityError for answers that cannot be right, NetworkError, Cancelled.
    """
    cancel = cancel or Cancel()
    name = HubName.parse(wanted)
    facts, _ = _json(hub, f"/api/models/{name.id}/revision/{quote(name.revision, safe='')}", cancel)
    info = Fields(facts, "The hub's description of the model")
    commit = _commit(info, name.revision)
    listed = _listed(hub, name.id, commit, cancel)
    parts_of = _gguf_parts if name.file or _holds_gguf_alone(listed) else _folder_parts
    parts = parts_of(hub, name, commit, listed, cancel)
    licence, gated = _licence(info), bool(info.raw("gated"))
    return HubModel(
        name.id, commit, licence, gated, parts.files, parts.decoder, others=parts.others, head_size_bytes=parts.head
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    """What `HubModel` says of a model's files; head: its head_size_bytes."""

    files: tuple[HubFile, ...]
    decoder: Decoder
    others: tuple[HubFile, ...] = ()
    head: int = 0


def _folder_parts(hub: Hub, name: HubName, commit: str, listed: dict[str, HubFile], cancel: Cancel) -> _Parts:
    if obstacles := tuple(_obstacles(listed)):
        raise UnsupportedModelError(f"{name.id} cannot be imported.", obstacles, next_step="Choose another model.")
    config = _content(hub, _path(name.id, commit, _CONFIG_FILE), listed[_CONFIG_FILE], MAX_JSON_SIZE_BYTES, cancel)
    decoder = huggingface.parse_decoder(Fields(parse_json(config, _CONFIG_FILE), _CONFIG_FILE), has_head=True)
    chosen = (*_NEEDED, *(name for name in _TAKEN_ALONG if name in listed), *filter(_LICENCE_TEXT.fullmatch, listed))
    weights = _weight_files(hub, _path(name.id, commit, _INDEX_FILE), listed, cancel)
    return _Parts(tuple(listed[name] for name in dict.fromkeys((*chosen, *weights))), decoder)


def _gguf_parts(hub: Hub, name: HubName, commit: str, listed: dict[str, HubFile], cancel: Cancel) -> _Parts:
    choice = choose(name.id, listed.values(), name.file)
    head = read_head(hub, _path(name.id, commit, choice.file.name), choice.file, cancel)
    decoder = huggingface.parse_decoder(huggingface_config(head), has_head=HEAD in head.tensors)
    along = (file for file in (_README_FILE, *filter(_LICENCE_TEXT.fullmatch, listed)) if file in listed)
    return _Parts((*(listed[file] for file in along), choice.file), decoder, choice.others, head.size_bytes)


def _holds_gguf_alone(listed: dict[str, HubFile]) -> bool:
    return not {_SINGLE_FILE, _INDEX_FILE} & set(listed) and any(map(is_gguf_name, listed))


def _json(hub: Hub, path: str, cancel: Cancel) -> tuple[object, str | None]:
    """A JSON answer, and the path of its continuation."""

    def ask() -> tuple[object, str | None]:
        with hub.get(path) as answer:
            return parse_json(answer.read(MAX_JSON_SIZE_BYTES, cancel), f"The answer of {hub.host}"), answer.next_path

    return hub.patiently(ask, cancel)


def _content(hub: Hub, path: str, file: HubFile, max_size_bytes: int, cancel: Cancel) -> bytes:
    """A small file's verified content. Raises FormatError when it is larger than it may be, WrongContentError."""
    if file.size_bytes > max_size_bytes:
        raise FormatError(f"{file.name} is larger than {max_size_bytes:,} bytes.")

    def ask() -> bytes:
        with hub.get(path) as answer:
            return answer.read(max_size_bytes, cancel)

    content = hub.patiently(ask, cancel)
    if not file.is_content(content):
        raise WrongContentError(f"{file.name} is not what the hub's list of files says.", next_step="Try again later.")
    return content


def _commit(info: Fields, revision: str) -> str:
    commit = info.text("sha", 40)
    if not is_commit(commit):
        raise FormatError("The hub names no commit for this revision.")
    if is_commit(revision) and commit != revision:
        raise SecurityError("The hub answered with another commit than the one that was asked for.")
    return commit


def _licence(info: Fields) -> str:
    """What the model card says, else the tags. With "other", the name that the makers gave it."""
    card = info.fields("cardData")
    named = card.raw("license")
    names = named if isinstance(named, list) else [named]
    if "other" in names and "license_name" in card:
        names = [card.raw("license_name")]
    tags = info.raw("tags")
    if names == [None] and isinstance(tags, list):
        names = [tag.removeprefix("license:") for tag in tags if isinstance(tag, str) and tag.startswith("license:")]
    good = [name for name in names if isinstance(name, str) and _LICENCE.fullmatch(name)]
    return ", ".join(good[:5]) or _UNKNOWN


def _listed(hub: Hub, model_id: str, commit: str, cancel: Cancel) -> dict[str, HubFile]:
    """The files at the top of the commit whose names are plain; others can be no part of a model."""
    found: dict[str, HubFile] = {}
    taken: set[str] = set()  # in lower case: some disks do not tell cases apart
    for entry in _entries(hub, f"/api/models/{model_id}/tree/{commit}?recursive=false", cancel):
        name = entry.text("path", 4096)
        if entry.raw("type") != "file" or not _FILE_NAME.fullmatch(name):
            continue
        if name.lower() in taken or len(found) == _MAX_ENTRIES:
            raise FormatError("The hub's list of files names one twice, or has no end.")
        taken.add(name.lower())
        found[name] = _file(name, entry)
    return found


def _entries(hub: Hub, path: str, cancel: Cancel) -> Iterator[Fields]:
    next_path: str | None = path
    for _ in range(_MAX_PAGES):
        if next_path is None:
            return
        entries, next_path = _json(hub, next_path, cancel)
        if not isinstance(entries, list):
            raise FormatError("The hub's list of files is no list.")
        yield from (Fields(entry, "The hub's list of files") for entry in entries)
    raise FormatError("The hub's list of files has no end.")


def _file(name: str, entry: Fields) -> HubFile:
    size_bytes = entry.integer("size", 0, _MAX_SIZE_BYTES)
    large = entry.fields("lfs") if "lfs" in entry else None
    digest = entry.text("oid", 64) if large is None else large.text("oid", 64)
    if not (_GIT_SHA1 if large is None else _SHA256).fullmatch(digest):
        raise FormatError(f"The hub's list of files gives no proper hash for {name}.")
    if large is not None and large.integer("size", 0, _MAX_SIZE_BYTES) != size_bytes:
        raise FormatError(f"The hub's list of files gives two sizes for {name}.")
    return HubFile(name, size_bytes, digest)


def _obstacles(listed: dict[str, HubFile]) -> Iterator[str]:
    yield from (f"There is no {name}." for name in _NEEDED if name not in listed)
    if _SINGLE_FILE not in listed and _INDEX_FILE not in listed:
        pickles = ", ".join(name for name in listed if _PICKLE.fullmatch(name))[:200]
        why = f" There is only {pickles}: pickle files can run programs and are never opened." if pickles else ""
        yield f"There are no weights as {_SINGLE_FILE}, whole or in parts.{why}"


def _weight_files(hub: Hub, index_path: str, listed: dict[str, HubFile], cancel: Cancel) -> tuple[str, ...]:
    """The one file, else the index and the parts that it names. They must be among the listed ones."""
    if _SINGLE_FILE in listed:
        return (_SINGLE_FILE,)
    content = _content(hub, index_path, listed[_INDEX_FILE], _MAX_INDEX_SIZE_BYTES, cancel)
    places = Fields(parse_json(content, _INDEX_FILE), _INDEX_FILE).fields("weight_map")
    names = sorted({str(places.raw(tensor)) for tensor in places})
    if not 1 <= len(names) <= _MAX_SHARDS or not all(name.endswith(".safetensors") for name in names):
        raise FormatError(f"{_INDEX_FILE} does not name the parts of the weights.")
    if missing := [name for name in names if name not in listed]:
        raise HubNotFoundError(f"{_INDEX_FILE} names {missing[0][:100]!r}, which the hub does not have.")
    return (_INDEX_FILE, *names)
