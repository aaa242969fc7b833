"""Decoders as other programs export them to ONNX: `python -m tests.support.exports OUT` makes the committed ones anew.

Making them takes torch, transformers, onnxscript and onnxruntime-genai, which nothing else here needs; each file of
tests/models/exports/golden is a folder in an archive. The checkpoints that they were made of are made again by
`checkpoint`, number for number.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import onnx

from personal_ai.models.runtime import onnxruntime
from tests.support.checkpoints import Architecture, Shape, write_checkpoint

GOLDEN: Final = Path(__file__).parents[1] / "models" / "exports" / "golden"
STYLES: Final = ("torchscript", "dynamo", "genai-fp32", "genai-int4")
ARCHITECTURES: Final[tuple[Architecture, ...]] = ("llama", "qwen2", "gpt2")
_OF_THE_FOLDER: Final = ("config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def exports() -> Iterator[tuple[Architecture, str]]:
    """What there is; onnxruntime-genai does not know GPT-2."""
    for architecture in ARCHITECTURES:
        yield from ((architecture, style) for style in STYLES if architecture != "gpt2" or "genai" not in style)


def checkpoint(folder: Path, architecture: Architecture) -> Path:
    """The Hugging Face folder that the exports of an architecture were made of."""
    shape = Shape(
        architecture,
        vocabulary=300,
        hidden=32,
        heads=2,
        key_value_heads=1,
        intermediate=64,
        context=64,
        tied=architecture != "llama",
    )
    return write_checkpoint(folder, shape, number_format="BF16")


def unpacked(folder: Path, architecture: str, style: str) -> Path:
    """The folder of a committed export, in the new `folder`."""
    with tarfile.open(GOLDEN / f"{architecture}-{style}.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


def genai_logits(folder: Path, tokens: list[int]) -> npt.NDArray[np.float64]:
    """What onnxruntime makes of an unpacked export of onnxruntime-genai, without rounding activations: [vocabulary]."""
    model = onnx.load(folder / "model.onnx")
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = 1  # f32
    session = onnxruntime.InferenceSession(model.SerializeToString())
    feed = {port.name: np.zeros((1, 1, 0, 16), np.float32) for port in session.get_inputs() if "past" in port.name}
    feed |= {"input_ids": np.array([tokens]), "attention_mask": np.ones((1, len(tokens)), np.int64)}
    return np.asarray(session.run(["logits"], feed)[0][0, -1], dtype=np.float64)


def _make(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for architecture, style in exports():
        with tempfile.TemporaryDirectory() as name:
            source, folder = checkpoint(Path(name) / "source", architecture), Path(name) / "export"
            folder.mkdir()
            if style.startswith("genai"):
                _build_genai(source, folder, style.removeprefix("genai-"))
            else:
                _export_torch(source, folder / "model.onnx", dynamo=style == "dynamo")
                for file in _OF_THE_FOLDER:
                    shutil.copy(source / file, folder)
            with tarfile.open(out / f"{architecture}-{style}.tar.xz", "w:xz") as archive:
                for path in sorted(folder.iterdir()):
                    archive.add(path, path.name)


def _build_genai(source: Path, out: Path, precision: str) -> None:
    command = [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", source, "-o", out, "-p", precision]
    with tempfile.TemporaryDirectory() as cache:
        subprocess.run([*map(str, command), "-e", "cpu", "-c", cache], check=True, stdout=subprocess.DEVNULL)


def _export_torch(source: Path, out: Path, *, dynamo: bool) -> None:
    import torch
    import transformers

    class Logits(torch.nn.Module):  # type: ignore[misc]  # unknown where there is no torch
        def __init__(self, model: torch.nn.Module) -> None:
            super().__init__()
            self.wrapped = model

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            mask = torch.ones_like(input_ids)
            return self.wrapped(input_ids=input_ids, attention_mask=mask, use_cache=False).logits

    model = transformers.AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32, attn_implementation="eager")
    how = (
        {"dynamic_shapes": {"input_ids": {1: torch.export.Dim("sequence", min=2, max=60)}}}
        if dynamo
        else {"dynamic_axes": {"input_ids": {1: "sequence"}}, "opset_version": 17}
    )
    names = {"input_names": ["input_ids"], "output_names": ["logits"]}
    torch.onnx.export(Logits(model.eval()), (torch.tensor([[5, 6, 7, 8]]),), str(out), dynamo=dynamo, **how, **names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    _make(parser.parse_args().out)
