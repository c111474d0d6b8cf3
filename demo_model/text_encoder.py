"""The demo's text encoder: a CLIP-L whose twelve layers are the identity, so its output is word plus position.

Words are random sign vectors, hence almost orthogonal; positions too, up to `LONGEST_CAPTION`, and zero beyond it. The
signs come from a hash, so they are the same wherever they are made. Every large matrix is a strided view of a small
buffer: it takes no room until the host copies it into a CLIP-L of its own.
"""

from __future__ import annotations

import hashlib

import torch

WIDTH = 768
VOCABULARY = 49408
TOKENS = 77
LONGEST_CAPTION = 24  # tokens, start and end included
_LAYERS = 12


def _signs(name: str, count: int) -> torch.Tensor:
    """Draw `count` values of -1 or 1, always the same for a name."""
    bits = hashlib.shake_256(f"cotj demo {name}".encode()).digest((count + 7) // 8)
    values = torch.tensor(list(bits), dtype=torch.uint8)
    return ((values[:, None] >> torch.arange(8)) & 1).flatten()[:count].to(torch.float16) * 2 - 1


def token_embedding() -> torch.Tensor:
    """Make (VOCABULARY, WIDTH): row i is the window that starts at value i of one long random sequence."""
    return _signs("words", VOCABULARY + WIDTH).as_strided((VOCABULARY, WIDTH), (1, 1))


def position_embedding() -> torch.Tensor:
    """Make (TOKENS, WIDTH)."""
    positions = torch.zeros(TOKENS, WIDTH, dtype=torch.float16)
    positions[:LONGEST_CAPTION] = _signs("positions", LONGEST_CAPTION * WIDTH).view(LONGEST_CAPTION, WIDTH)
    return positions


def state_dict() -> dict[str, torch.Tensor]:
    """Make a CLIP-L in the layout of the released checkpoints."""

    def constant(value: float, *shape: int) -> torch.Tensor:
        return torch.tensor(value, dtype=torch.float16).expand(shape)

    text = "text_model."
    state = {
        f"{text}embeddings.token_embedding.weight": token_embedding(),
        f"{text}embeddings.position_embedding.weight": position_embedding(),
        f"{text}final_layer_norm.weight": constant(1, WIDTH),
        f"{text}final_layer_norm.bias": constant(0, WIDTH),
        "text_projection.weight": torch.eye(WIDTH, dtype=torch.float16),
    }
    for layer in range(_LAYERS):
        name = f"{text}encoder.layers.{layer}."
        for norm in ("layer_norm1", "layer_norm2"):
            state |= {f"{name}{norm}.weight": constant(1, WIDTH), f"{name}{norm}.bias": constant(0, WIDTH)}
        for linear, out, into in (
            ("self_attn.q_proj", WIDTH, WIDTH),
            ("self_attn.k_proj", WIDTH, WIDTH),
            ("self_attn.v_proj", WIDTH, WIDTH),
            ("self_attn.out_proj", WIDTH, WIDTH),
            ("mlp.fc1", 4 * WIDTH, WIDTH),
            ("mlp.fc2", WIDTH, 4 * WIDTH),
        ):
            state |= {f"{name}{linear}.weight": constant(0, out, into), f"{name}{linear}.bias": constant(0, out)}
    return state
