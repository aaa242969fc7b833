"""Which module of a model a node of an exported graph belongs to, in transformers' names."""

from __future__ import annotations

import re
from typing import Final

from onnx import NodeProto

_LLAMA = re.compile(
    r"(?:.*\.)?layers\.(\d{1,4})\.(?:(input_layernorm|post_attention_layernorm)"
    r"|(?:self_attn|attn)\.([qkvo]_proj|qkv_proj|[qk]_norm)|(mlp\.(?:gate_proj|up_proj|down_proj|gate_up_proj)))(?:\.layernorm)?"
)
_GPT2 = re.compile(r"(?:.*\.)?h\.(\d{1,4})\.(ln_1|ln_2|attn\.c_attn|attn\.c_proj|mlp\.c_fc|mlp\.c_proj)")
_TOP: Final = {
    "embed_tokens": "model.embed_tokens",
    "norm": "model.norm",
    "final_norm_layernorm": "model.norm",  # onnxruntime-genai's name
    "lm_head": "lm_head",
    "wte": "wte",
    "wpe": "wpe",
    "ln_f": "ln_f",
}
_SCOPES: Final = "pkg.torch.onnx.name_scopes"  # where torch's exporter of today writes the modules down
_MAX_LENGTH = 1000


def module_of(node: NodeProto) -> str | None:
    """The module that a node computes a part of; None for nodes of none that holds weights."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), None)
    if scopes is not None:
        names = re.findall(r"'([^']*)'", scopes[-_MAX_LENGTH:])
        return canonical(names[-2]) if len(names) > 1 else None
    path = node.name[:_MAX_LENGTH].strip("/").split("/")[:-1]
    return canonical(".".join(path))


def canonical(path: str) -> str | None:
    """transformers' name of a module, whatever it is wrapped into."""
    if found := _LLAMA.fullmatch(path):
        number, norm, attention, mlp = found.groups()
        return f"model.layers.{number}.{norm or mlp or f'self_attn.{attention}'}"
    if found := _GPT2.fullmatch(path):
        return f"h.{found[1]}.{found[2]}"
    return _TOP.get(path.rpartition(".")[2])
