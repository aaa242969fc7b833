"""Small random models, from checkpoint to uploaded program."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from personal_ai.canister.client import CanisterClient, Generated
from personal_ai.canister.upload import Upload
from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.sampling import Sampling
from tests.support.checkpoints import Shape, write_checkpoint

GREEDY = Sampling()
SAMPLED = Sampling(temperature=1.5, top_k=100, top_p=0.95, min_p=0.01, repetition_penalty=1.1, seed=7)


def make_upload(
    folder: Path, shape: Shape, *, quantisation: Quantisation = "int8", end_tokens: tuple[int, ...] = (), seed: int = 0
) -> Upload:
    """A random checkpoint, imported and compiled."""
    checkpoint = write_checkpoint(folder / "checkpoint", shape, seed=seed)
    package = import_folder(checkpoint, Library(folder / "library"), quantisation=quantisation)
    program = folder / "program"
    compile_onnx(package.onnx_path, program, end_tokens=end_tokens, context_length=shape.context)
    return Upload.of("Random", [("program", program), ("tokenizer.json", checkpoint / "tokenizer.json")])


def load(client: CanisterClient, upload: Upload) -> None:
    """Uploads and activates."""
    client.begin_upload(upload.manifest)
    for index in client.missing_chunks():
        client.put_chunk(index, upload.read_chunk(index))
    client.activate(upload.manifest.hash)


def forget(client: CanisterClient) -> None:
    """Makes the canister lose all conversations: what comes next is computed, not copied from one of them."""
    client.unload()
    client.activate()


def hash_of(tokens: Sequence[int]) -> bytes:
    return hashlib.sha256(struct.pack(f"<{len(tokens)}I", *tokens)).digest()


@dataclass
class Talk:
    """A client's side of one conversation: `tokens` is the truth."""

    client: CanisterClient
    tokens: list[int]
    name: bytes = b"talk"
    sampling: Sampling = GREEDY
    stop: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        self.tokens = list(self.tokens)

    def go_on(
        self, max_tokens: int, append: Sequence[int] = (), *, max_instructions: int = 0, query: bool = False
    ) -> Generated:
        """One call that adds `append` and what it generates."""
        call = self.client.generate_query if query else self.client.generate
        generated = call(
            conversation=self.name,
            keep=len(self.tokens),
            keep_hash=hash_of(self.tokens),
            append=append,
            max_tokens=max_tokens,
            sampling=self.sampling,
            max_instructions=max_instructions,
            stop=self.stop,
        )
        self.tokens += [*append, *generated.tokens]
        assert generated.length == len(self.tokens)
        return generated
