"""The demo's network: Stable Diffusion 3's MMDiT (Esser et al. 2024, arXiv 2403.03206), small, in plain torch.

It has the key names and the arithmetic of the host's own class, so that `host_state_dict` is a checkpoint the host's
loader takes for an SD3; a test holds the two against each other. Two economies are exact, not approximate: latent
channels 3 to 15 are never painted (their velocity is 0), so training carries RGB alone; and all tokens after a caption
are equal, so that one key with the weight of many stands for them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...demo_model.text_encoder import LONGEST_CAPTION, TOKENS, WIDTH
from ...demo_model.vae import LATENT_CHANNELS

DEPTH = 3  # the host fixes the width at 64 per layer and head
PATCH = 4
CONTEXT_WIDTH = 4096  # what CLIPLoader's type sd3 pads its output to
CHANNELS = 3


def timestep_embedding(t: Tensor, width: int = 256) -> Tensor:
    """Embed (B,) flow times in 0..1 as (B, width) sinusoids of 1000 t."""
    frequencies = torch.exp(-math.log(10000) * torch.arange(width // 2, device=t.device) / (width // 2))
    angles = 1000 * t[:, None].float() * frequencies
    return torch.cat((angles.cos(), angles.sin()), -1)


def position_embedding(width: int, side: int) -> Tensor:
    """Make (side * side, width), the host's fixed sine and cosine embedding of a grid, centred at 7.5."""
    axis = torch.linspace(-1, 1, side) * 7.5 + 7.5
    frequencies = 10000 ** (-torch.arange(width // 4) / (width / 4))

    def embed(position: Tensor) -> Tensor:
        angles = position.flatten()[:, None] * frequencies
        return torch.cat((angles.sin(), angles.cos()), -1)

    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return torch.cat((embed(columns), embed(rows)), -1)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return x * (1 + scale[:, None]) + shift[:, None]


class Attention(nn.Module):
    """Projections of one stream of a joint attention, with RMS-normalised queries and keys."""

    def __init__(self, width: int, heads: int, pre_only: bool) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.ln_q = nn.RMSNorm(width // heads, eps=1e-6)
        self.ln_k = nn.RMSNorm(width // heads, eps=1e-6)
        if not pre_only:
            self.proj = nn.Linear(width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split (B, L, width) into three of (B, heads, L, width / heads)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return self.ln_q(q), self.ln_k(k), v


class Block(nn.Module):
    """One stream of a layer; `pre_only` for the last context stream, of which only keys and values are used."""

    def __init__(self, width: int, heads: int, pre_only: bool = False) -> None:
        super().__init__()
        self.pre_only = pre_only
        self.width = width
        self.attn = Attention(width, heads, pre_only)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, (2 if pre_only else 6) * width))
        if not pre_only:
            self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)})

    def norm(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, (self.width,), eps=1e-6)

    def before(self, x: Tensor, c: Tensor) -> tuple[tuple[Tensor, Tensor, Tensor], tuple[Tensor, ...]]:
        """Return queries, keys, values, and the modulations that `after` takes."""
        shift, scale, *rest = self.adaLN_modulation(c).chunk(2 if self.pre_only else 6, dim=1)
        return self.attn.split(modulate(self.norm(x), shift, scale)), tuple(rest)

    def after(self, x: Tensor, attended: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        gate, shift, scale, gate_mlp = modulations
        x = x + gate[:, None] * self.attn.proj(attended)
        hidden = F.gelu(self.mlp["fc1"](modulate(self.norm(x), shift, scale)), approximate="tanh")
        return x + gate_mlp[:, None] * self.mlp["fc2"](hidden)


class JointBlock(nn.Module):
    """A layer: context and image attend to each other, each with weights of its own."""

    def __init__(self, width: int, heads: int, last: bool) -> None:
        super().__init__()
        self.context_block = Block(width, heads, pre_only=last)
        self.x_block = Block(width, heads)

    def forward(self, context: Tensor, x: Tensor, c: Tensor, key_weights: Tensor) -> tuple[Tensor, Tensor]:
        of_context, context_modulations = self.context_block.before(context, c)
        of_x, x_modulations = self.x_block.before(x, c)
        q, k, v = (torch.cat(pair, 2) for pair in zip(of_context, of_x))
        # Written out: at these lengths it trains faster on a CPU than the fused kernel.
        attention = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2) + key_weights.to(q.dtype)).softmax(-1)
        attended = (attention.to(v.dtype) @ v).transpose(1, 2).flatten(2)
        length = context.shape[1]
        x = self.x_block.after(x, attended[:, length:], x_modulations)
        if not self.context_block.pre_only:
            context = self.context_block.after(context, attended[:, :length], context_modulations)
        return context, x


class FinalLayer(nn.Module):
    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)
        return self.linear(modulate(F.layer_norm(x, x.shape[-1:], eps=1e-6), shift, scale))


class Embedder(nn.Module):
    """Flow time to a conditioning vector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        return self.mlp(timestep_embedding(t))


class MMDiT(nn.Module):
    """Velocity of RGB images: forward(x (B, 3, H, W), t (B,), context (B, LONGEST_CAPTION + 1, WIDTH))."""

    def __init__(self, depth: int = DEPTH) -> None:
        super().__init__()
        width = 64 * depth
        self.x_embedder = nn.ModuleDict({"proj": nn.Conv2d(CHANNELS, width, PATCH, PATCH)})
        self.t_embedder = Embedder(width)
        self.context_embedder = nn.Linear(WIDTH, width)
        self.joint_blocks = nn.ModuleList(JointBlock(width, depth, last=i == depth - 1) for i in range(depth))
        self.final_layer = FinalLayer(width, PATCH * PATCH * CHANNELS)
        self.initialise()

    def initialise(self) -> None:
        """Initialise as DiT does: Xavier for matrices, zero for gates and output (Peebles & Xie, arXiv 2212.09748)."""
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                nn.init.xavier_uniform_(module.weight.view(module.weight.shape[0], -1))
                nn.init.zeros_(module.bias)
        for layer in self.joint_blocks:
            for block in (layer.context_block, layer.x_block):
                nn.init.zeros_(block.adaLN_modulation[1].weight)
        nn.init.zeros_(self.final_layer.adaLN_modulation[1].weight)
        nn.init.zeros_(self.final_layer.linear.weight)

    def forward(self, x: Tensor, t: Tensor, context: Tensor) -> Tensor:
        height, width = x.shape[2] // PATCH, x.shape[3] // PATCH
        x = self.x_embedder["proj"](x).flatten(2).transpose(1, 2)
        x = x + position_embedding(x.shape[-1], height).to(x)
        c = self.t_embedder(t)
        context = self.context_embedder(context)
        # The last context token stands for all the equal ones that follow a caption.
        key_weights = torch.zeros(1, context.shape[1] + x.shape[1], device=x.device)
        key_weights[:, LONGEST_CAPTION] = math.log(TOKENS - LONGEST_CAPTION)
        for block in self.joint_blocks:
            context, x = block(context, x, c, key_weights)
        x = self.final_layer(x, c)
        x = x.unflatten(-1, (PATCH, PATCH, CHANNELS)).unflatten(1, (height, width))
        return x.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def host_state_dict(model: MMDiT, dtype: torch.dtype = torch.bfloat16) -> dict[str, Tensor]:
    """Write the model as an SD3 checkpoint: 16 latent channels, a 4096-wide context, the added weights zero."""
    state = {key: value.detach().clone() for key, value in model.state_dict().items()}
    rest = LATENT_CHANNELS - CHANNELS
    state["x_embedder.proj.weight"] = F.pad(state["x_embedder.proj.weight"], (0, 0, 0, 0, 0, rest))
    state["context_embedder.weight"] = F.pad(state["context_embedder.weight"], (0, CONTEXT_WIDTH - WIDTH))
    for name in ("weight", "bias"):
        value = state[f"final_layer.linear.{name}"].unflatten(0, (PATCH * PATCH, CHANNELS))
        padding = (0, 0) * (value.ndim - 2) + (0, rest)
        state[f"final_layer.linear.{name}"] = F.pad(value, padding).flatten(0, 1)
    return {key: value.to(dtype).contiguous() for key, value in state.items()}


def from_host_state_dict(state: dict[str, Tensor]) -> MMDiT:
    """Read what `host_state_dict` wrote, in float32."""
    model = MMDiT()
    state = {key: value.float() for key, value in state.items()}
    state["x_embedder.proj.weight"] = state["x_embedder.proj.weight"][:, :CHANNELS]
    state["context_embedder.weight"] = state["context_embedder.weight"][:, :WIDTH]
    for name in ("final_layer.linear.weight", "final_layer.linear.bias"):
        state[name] = state[name].unflatten(0, (PATCH * PATCH, LATENT_CHANNELS))[:, :CHANNELS].flatten(0, 1)
    model.load_state_dict(state)
    return model
