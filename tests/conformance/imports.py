"""Every way in which a model may come: its numbers, its tokens and its template against references of their own.

`python -m tests.conformance.imports [--json]` makes random models of each architecture, brings them in as
safetensors, GGUF, and the committed exports of torch (both exporters) and onnxruntime-genai, and compares per case:

- logit_difference: the f32 package in onnxruntime against plain numpy on the weights that were brought in; where they
  are quantised, on what the makers' own package reads. For the 4-bit export: against its graph in onnxruntime.
- tokens_equal: a multilingual corpus, against the tokenizer that the model was made with
- template_equal: a conversation, against the template rendered with its messages and encoded at once

A case passes when the logits differ by no more than its bound and both others are equal.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from personal_ai.common.errors import BadInputError
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.runtime import onnxruntime
from personal_ai.models.template_worker import render
from personal_ai.models.tokenizer import ChatTokenizer
from tests.conformance.decoders import SHAPES
from tests.conformance.models import OnnxSteps
from tests.support import exports, reference
from tests.support.checkpoints import ROPE_SCALINGS, SPECIAL_TOKENS, NumberFormat, Shape, write_checkpoint
from tests.support.gguf_files import Numbers, converted, write_gguf
from tests.support.texts import MULTILINGUAL

DIFFERENCE_MAX: Final = 1e-4
RELATIVE_MAX_4_BITS: Final = 1e-3  # of a graph whose norms and attention onnxruntime computes in other ways

Logits = npt.NDArray[np.float64]
Make = Callable[[Path], "Brought"]


@dataclass(frozen=True)
class Case:
    """What was measured; `failure` is empty when it passed."""

    architecture: str
    source: str
    logit_difference: float | None = None
    bound: float = DIFFERENCE_MAX
    tokens_equal: bool | None = None
    template_equal: bool | None = None
    failure: str = ""


@dataclass(frozen=True)
class Brought:
    """A foreign model, the Hugging Face folder with its words, and its logits [vocabulary] after some tokens."""

    path: Path
    words: Path
    expected: Callable[[list[int]], Logits]
    relative_bound: float | None = None


def cases() -> Iterator[tuple[str, str, Make]]:
    """(architecture, source, how it is made), for each case."""
    formats: tuple[NumberFormat, ...] = ("F32", "BF16", "F16")
    for number, (name, shape) in enumerate(_shapes()):
        for tied in (False, True):
            form, shards = formats[(number + tied) % 3], 1 + 2 * tied
            kind = f"safetensors, {form}, {'tied' if tied else 'untied'}, {shards} files"
            yield name, kind, partial(_safetensors, replace(shape, tied=tied), form, shards)
    for architecture, style in exports.exports():
        yield architecture, style, partial(_export, architecture, style)
    for architecture in ("llama", "qwen2"):
        for numbers in ("F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_K", "Q5_K", "Q6_K"):
            yield architecture, f"gguf, {numbers}", partial(_gguf, architecture, numbers)


def _shapes() -> Iterator[tuple[str, Shape]]:
    yield from SHAPES.items()
    yield "llama, biases", Shape("llama", bias=True)
    for name, scaling in ROPE_SCALINGS.items():
        architecture: Any = "phi3" if name == "longrope" else "llama"
        yield f"{architecture}, {name}", Shape(architecture, rope_scaling=scaling)


def _safetensors(shape: Shape, form: NumberFormat, shards: int, folder: Path) -> Brought:
    source = write_checkpoint(folder / "source", shape, number_format=form, shards=shards)
    return Brought(source, source, lambda tokens: reference.logits(source, tokens)[-1])


def _export(architecture: Any, style: str, folder: Path) -> Brought:
    """onnxruntime-genai writes the tokenizer anew, so the words are those of the export."""
    source = exports.checkpoint(folder / "source", architecture)
    path = exports.unpacked(folder / "export", architecture, style)
    if style == "genai-int4":
        return Brought(path, path, lambda tokens: exports.genai_logits(path, tokens), RELATIVE_MAX_4_BITS)
    return Brought(path, path, lambda tokens: reference.logits(source, tokens)[-1])


def _gguf(architecture: Any, numbers: Numbers, folder: Path) -> Brought:
    """The reference reads what the file holds in the makers' way, in the place of the checkpoint's weights."""
    shape = Shape(architecture, hidden=256, intermediate=256, vocabulary=384, tied=architecture == "qwen2")
    source = write_checkpoint(folder / "source", shape)
    path = write_gguf(source, folder / "model.gguf", numbers)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    config = json.loads((source / "config.json").read_text())
    read = {}
    for name, values in load_file(source / "model.safetensors").items():
        tensor = stored[converted(name, values, config)[0]]
        numbers_read = gguf.quants.dequantize(tensor.data, tensor.tensor_type).reshape(values.shape)
        read[name] = _in_order(name, numbers_read.astype(np.float32), config)
    save_file(read, source / "model.safetensors")
    return Brought(path, source, lambda tokens: reference.logits(source, tokens)[-1])


def _in_order(name: str, values: npt.NDArray[Any], config: dict[str, Any]) -> npt.NDArray[Any]:
    """The rows of heads as transformers has them: the inverse of what llama.cpp's converter does."""
    heads = {"q_proj.weight": "num_attention_heads", "k_proj.weight": "num_key_value_heads"}
    count = next((config[key] for end, key in heads.items() if name.endswith(end)), None)
    if config["model_type"] != "llama" or count is None:
        return values
    return np.ascontiguousarray(values.reshape(count, -1, 2, values.shape[1]).swapaxes(1, 2).reshape(values.shape))


def measured(architecture: str, source: str, make: Make, folder: Path) -> Case:
    """Brings one model in and compares it."""
    case = Case(architecture, source)
    brought = make(folder)
    try:
        package = import_folder(brought.path, Library(folder / "library"), name="model", quantisation="f32")
    except BadInputError as error:
        return replace(case, failure=str(error).replace("\n", " "))
    tokens = [int(token) for token in np.random.default_rng(3).integers(0, 290, 40)]
    expected = brought.expected(tokens)
    decoder = package.manifest.decoder
    steps = OnnxSteps(package.folder, decoder, onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL)
    difference = float(np.abs(steps.forward(tokens, 0) - expected).max())
    bound = DIFFERENCE_MAX
    if brought.relative_bound is not None:
        bound = brought.relative_bound * float(np.abs(expected).max())
    case = replace(
        case,
        logit_difference=difference,
        bound=bound,
        tokens_equal=_tokens_equal(package, brought.words),
        template_equal=_template_equal(package, brought.words),
    )
    return replace(case, failure=failure(case))


def _tokens_equal(package: ModelPackage, source: Path) -> bool:
    theirs = Tokenizer.from_file(str(source / "tokenizer.json"))
    theirs.encode_special_tokens = True
    ours = ChatTokenizer(package)
    return all(ours.encode_text(text) == theirs.encode(text, add_special_tokens=False).ids for text in MULTILINGUAL)


def _template_equal(package: ModelPackage, source: Path) -> bool:
    messages = [Message("system", "Be kind."), Message("user", "Grüße, 你好?"), Message("assistant", "Oh, hello.")]
    messages.append(Message("user", " 1 2  3\n"))
    context = {
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "add_generation_prompt": True,
        "eos_token": SPECIAL_TOKENS[0],
    }
    text = render((source / "chat_template.jinja").read_text(encoding="utf-8"), context, 1_000_000)
    theirs = Tokenizer.from_file(str(source / "tokenizer.json")).encode(text, add_special_tokens=False).ids
    return ChatTokenizer(package).encode_chat(messages) == theirs


def failure(case: Case) -> str:
    """Why the measured case does not pass; empty where it does."""
    reasons = []
    if case.logit_difference is None or not case.logit_difference <= case.bound:  # NaN is not
        reasons.append(f"logit_difference {case.logit_difference} > {case.bound:.2g}")
    reasons += [f"{name} is not" for name in ("tokens_equal", "template_equal") if not getattr(case, name)]
    return "; ".join(reasons)


def run(only: str = "") -> list[Case]:
    """Every case whose architecture or source holds the text `only`."""
    found = []
    for architecture, source, make in cases():
        if only in f"{architecture}: {source}":
            with tempfile.TemporaryDirectory() as folder:
                found.append(measured(architecture, source, make, Path(folder)))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Every way in which a model may come, against references.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases named so, such as 'gguf' or 'qwen2: dynamo'")
    options = parser.parse_args(arguments)
    found = run(options.only)
    failed = sum(bool(case.failure) for case in found)
    if options.json:
        print(json.dumps({"passed": len(found) - failed, "failed": failed, "cases": [asdict(case) for case in found]}))
    else:
        for case in found:
            told = f"differs by {case.logit_difference:.2g}" if case.logit_difference is not None else ""
            print(f"{case.architecture}, {case.source}: {told} {case.failure or 'passed'}")
        print(f"{len(found) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
