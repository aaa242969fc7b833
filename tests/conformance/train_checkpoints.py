"""Trains the small checkpoints that tests.conformance.quantisation and tests.conformance.screened_head measure:
`python -m tests.conformance.train_checkpoints [--only NAME]` (extra `train`; minutes each). Their folders under golden/
are committed: another machine's training differs in its last bits, and then in everything.

A Llama (tied, grouped heads) and a GPT-2 (untied) learn the starter model's questions and answers; the text that is
held out asks in words that they have not seen. A Llama with a large vocabulary learns Python's standard library.
The weights are stored as F16, which is what "unquantised" means here.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from torch.nn import functional as fn

from personal_ai.models.starter import corpus, llama
from tests.support import library_texts
from tests.support.checkpoints import SPECIAL_TOKENS, Shape, config, tensor_shapes

GOLDEN: Final = Path(__file__).parent / "golden"
TEXT_FILE: Final = "text.txt"
CONTEXT: Final = 128
WARM_UP_STEPS: Final = 50
HELD_OUT_CHARACTERS: Final = 9_000
Weights = dict[str, Tensor]


def starter_texts() -> tuple[str, str]:
    """What is learnt, and what is held out."""
    intents = corpus.load().all_intents
    learnt = [f"{question}\n{intent.answer}\n\n" for intent in intents for question in intent.wordings]
    order = torch.randperm(len(learnt), generator=torch.Generator().manual_seed(1)).tolist()
    held_out = [f"{question}\n{intent.answer}\n\n" for intent in intents for question in intent.held_out[:1]]
    return "".join(learnt[index] for index in order), "".join(held_out)[:HELD_OUT_CHARACTERS]


@dataclass(frozen=True)
class Recipe:
    """texts: what is learnt, and what is held out and stored beside the checkpoint."""

    shape: Shape
    texts: Callable[[], tuple[str, str]] = starter_texts
    steps: int = 700
    batch: int = 16
    learning_rate: float = 4e-3  # the greatest


RECIPES: Final = {
    "llama": Recipe(Shape("llama", 512, 128, 3, 4, 2, 256, CONTEXT, tied=True)),
    "gpt2": Recipe(Shape("gpt2", 512, 128, 2, 4, 4, 384, CONTEXT)),
    "llama-8k": Recipe(
        Shape("llama", 8192, 128, 2, 4, 2, 256, CONTEXT, tied=True),
        texts=lambda: (library_texts.learnt(), ""),
        steps=1200,
        batch=8,
        learning_rate=3e-3,
    ),
}


def trained_tokenizer(text: str, vocabulary: int) -> Tokenizer:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(text.splitlines(keepends=True), trainer)
    return made


def new_weights(shape: Shape) -> Weights:
    """N(0, 0.02), smaller where a layer writes into the residual stream; gains 1, biases 0."""
    generator = torch.Generator().manual_seed(2)
    residual = 0.02 / math.sqrt(2 * shape.layers)
    weights = {}
    for name, size in tensor_shapes(shape).items():
        deviation = residual if any(part in name for part in ("o_proj", "down_proj", "c_proj.weight")) else 0.02
        if len(size) == 1:
            weights[name] = torch.full(size, 0.0 if name.endswith("bias") else 1.0)
        else:
            weights[name] = torch.empty(size).normal_(0.0, deviation, generator=generator)
    return weights


def llama_logits(w: Weights, shape: Shape, tokens: Tensor) -> Tensor:
    sizes = llama.Shape(
        shape.vocabulary, shape.hidden, shape.layers, shape.heads, shape.key_value_heads, shape.intermediate, CONTEXT
    )
    return llama.logits(w, llama.hidden_states(w, sizes, tokens))


def gpt2_logits(w: Weights, shape: Shape, tokens: Tensor) -> Tensor:
    batch, length = tokens.shape

    def linear(x: Tensor, name: str) -> Tensor:
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def norm(x: Tensor, name: str) -> Tensor:
        return fn.layer_norm(x, (shape.hidden,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-5)

    x = fn.embedding(tokens, w["transformer.wte.weight"]) + w["transformer.wpe.weight"][:length]
    for layer in range(shape.layers):
        name = f"transformer.h.{layer}"
        joined = linear(norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn")
        q, k, v = (part.view(batch, length, shape.heads, -1).transpose(1, 2) for part in joined.chunk(3, dim=-1))
        mixed = fn.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(mixed.transpose(1, 2).reshape(batch, length, -1), f"{name}.attn.c_proj")
        inner = fn.gelu(linear(norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc"), approximate="tanh")
        x = x + linear(inner, f"{name}.mlp.c_proj")
    return norm(x, "transformer.ln_f") @ w["lm_head.weight"].T


FORWARD: Final[dict[str, Callable[[Weights, Shape, Tensor], Tensor]]] = {"llama": llama_logits, "gpt2": gpt2_logits}


def train(recipe: Recipe, ids: Tensor) -> Weights:
    shape, steps = recipe.shape, recipe.steps
    weights = {name: value.requires_grad_() for name, value in new_weights(shape).items()}
    groups = [
        {"params": [value for value in weights.values() if value.ndim > 1], "weight_decay": 0.1},
        {"params": [value for value in weights.values() if value.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(0.9, 0.95))
    generator = torch.Generator().manual_seed(3)
    for step in range(steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / steps))
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * min(1.0, (step + 1) / WARM_UP_STEPS) * cosine
        starts = torch.randint(0, len(ids) - CONTEXT - 1, (recipe.batch,), generator=generator).tolist()
        batch = torch.stack([ids[start : start + CONTEXT + 1] for start in starts])
        scores = FORWARD[shape.architecture](weights, shape, batch[:, :-1])
        loss = fn.cross_entropy(scores.flatten(0, 1), batch[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), 1.0)
        optimiser.step()
        if step % 100 == 0 or step == steps - 1:
            print(f"{shape.architecture} step {step} loss {loss.item():.3f}", flush=True)
    return {name: value.detach().half() for name, value in weights.items()}


def make(recipe: Recipe, folder: Path) -> None:
    learnt, held_out = recipe.texts()
    tokenizer = trained_tokenizer(learnt, recipe.shape.vocabulary)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(train(recipe, torch.tensor(tokenizer.encode(learnt).ids)), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config(recipe.shape), indent=2) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    if held_out:
        (folder / TEXT_FILE).write_text(held_out, encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the small checkpoints of the quantisation's conformance.")
    parser.add_argument("--only", choices=tuple(RECIPES), action="append", help="default: all")
    parser.add_argument("--out", type=Path, default=GOLDEN)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    for name in options.only or RECIPES:
        make(RECIPES[name], options.out / name)


if __name__ == "__main__":
    main()
