"""Write small checkpoints: `python architectures.py COMFYUI FOLDER KIND...`, in a process of its own.

Every diffusion model is an instance of the host's own class, as small as the host's detection of it allows.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[1] / "demo_model"))  # for text_encoder and vae, which have no imports of the pack
sys.path.append(str(HERE))

import text_encoder  # noqa: E402
import torch  # noqa: E402
import vae  # noqa: E402
from weights import State, write_random  # noqa: E402


@dataclass
class Checkpoint:
    """What goes into a file: a model whose weights are random, tensors that are not, and safetensors metadata."""

    model: torch.nn.Module | None
    prefix: str = ""
    dtype: torch.dtype = torch.float32
    exact: State = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)
    louder: dict[str, float] = field(default_factory=dict)  # factors of outputs that would be near 0

    def write(self, path: Path, kind: str) -> None:
        shapes = {} if self.model is None else {self.prefix + k: v for k, v in self.model.state_dict().items()}
        write_random(path, kind, shapes, self.dtype, self.exact, self.metadata, self.louder)


def on_meta(model: Callable[..., torch.nn.Module], **config: Any) -> torch.nn.Module:
    import comfy.ops

    return model(**config, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)


def sd3() -> Checkpoint:
    from comfy.ldm.modules.diffusionmodules.mmdit import OpenAISignatureMMDITWrapper

    depth = 2  # the host reads the width as 64 times this
    context = {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 64 * depth}}
    config = {"num_patches": 64**2, "pos_embed_max_size": 64, "adm_in_channels": 2048, "qk_norm": "rms"}
    return Checkpoint(
        on_meta(
            OpenAISignatureMMDITWrapper,
            input_size=None,
            in_channels=16,
            depth=depth,
            context_embedder_config=context,
            **config,
        )
    )


def flux() -> Checkpoint:
    from comfy.ldm.flux.model import Flux

    config = {"in_channels": 16, "out_channels": 16, "patch_size": 2, "hidden_size": 128, "num_heads": 1}
    config |= {"vec_in_dim": 768, "context_in_dim": 768, "depth": 1, "depth_single_blocks": 1, "mlp_ratio": 4.0}
    position = {"axes_dim": [16, 56, 56], "theta": 10000, "txt_ids_dims": []}
    return Checkpoint(on_meta(Flux, **config, **position, qkv_bias=True, guidance_embed=True))


def flux2() -> Checkpoint:
    """As klein: no guidance of its own, and three layers of a text encoder of width 2560."""
    from comfy.ldm.flux.model import Flux

    config = {"in_channels": 128, "out_channels": 128, "patch_size": 1, "hidden_size": 128, "num_heads": 1}
    config |= {"vec_in_dim": None, "context_in_dim": 7680, "depth": 1, "depth_single_blocks": 1, "mlp_ratio": 3.0}
    config |= {"qkv_bias": False, "ops_bias": False, "guidance_embed": False}
    config |= {"global_modulation": True, "mlp_silu_act": True}
    return Checkpoint(on_meta(Flux, **config, axes_dim=[32, 32, 32, 32], theta=2000, txt_ids_dims=[3]))


def krea2() -> Checkpoint:
    from comfy.ldm.krea2.model import SingleStreamDiT

    size = {"features": 128, "heads": 1, "kvheads": 1, "layers": 1, "txtlayers": 12, "txtdim": 640}
    return Checkpoint(on_meta(SingleStreamDiT, **size, channels=16, patch=2))


def qwen_image() -> Checkpoint:
    from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel

    return Checkpoint(on_meta(QwenImageTransformer2DModel, num_layers=1), dtype=torch.bfloat16)


def lumina2() -> Checkpoint:
    return _lumina(
        dim=2304, cap_feat_dim=2304, n_heads=24, n_kv_heads=8, axes_dims=[32, 32, 32], ffn_dim_multiplier=4.0
    )


def z_image() -> Checkpoint:
    return _lumina(
        dim=3840,
        cap_feat_dim=2560,
        n_heads=30,
        n_kv_heads=30,
        axes_dims=[32, 48, 48],
        ffn_dim_multiplier=8.0 / 3.0,
        rope_theta=256.0,
        z_image_modulation=True,
        time_scale=1000.0,
        pad_tokens_multiple=32,
    )


def _lumina(**config: Any) -> Checkpoint:
    from comfy.ldm.lumina.model import NextDiT

    model = on_meta(NextDiT, in_channels=16, n_layers=1, n_refiner_layers=2, qk_norm=True, **config)
    return Checkpoint(model, dtype=torch.bfloat16)


def wan21() -> Checkpoint:
    return _wan(16)


def wan22() -> Checkpoint:
    return _wan(48)


def wan22_high() -> Checkpoint:
    return _wan(16)


def wan22_low() -> Checkpoint:
    return _wan(16)


def _wan(channels: int) -> Checkpoint:
    from comfy.ldm.wan.model import WanModel

    config = {"dim": 128, "ffn_dim": 128, "num_heads": 1, "num_layers": 1, "cross_attn_norm": True}
    return Checkpoint(on_meta(WanModel, in_dim=channels, out_dim=channels, **config))


def hunyuan_video15() -> Checkpoint:
    from comfy.ldm.hunyuan_video.model import HunyuanVideo

    size = {"hidden_size": 128, "num_heads": 1, "depth": 1, "depth_single_blocks": 1, "mlp_ratio": 4.0}
    config = {"in_channels": 65, "out_channels": 32, "patch_size": [1, 1, 1], "axes_dim": [16, 56, 56], "theta": 256}
    config |= {"vec_in_dim": None, "context_in_dim": 3584, "vision_in_dim": 1152, "qkv_bias": True, "byt5": True}
    config |= {"guidance_embed": False, "meanflow": False, "meanflow_sum": True, "use_cond_type_embedding": True}
    return Checkpoint(on_meta(HunyuanVideo, **size, **config))


def kandinsky5() -> Checkpoint:
    from comfy.ldm.kandinsky5.model import Kandinsky5

    size = {"model_dim": 128, "time_dim": 64, "ff_dim": 256, "num_text_blocks": 1, "num_visual_blocks": 1}
    return Checkpoint(on_meta(Kandinsky5, **size, visual_embed_dim=132))


UNET = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 320,
    "use_spatial_transformer": True,
    "transformer_depth_middle": -2,
    "legacy": False,
}
SD15 = UNET | {
    "num_res_blocks": [1],
    "channel_mult": [1],
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
    "context_dim": 768,
    "num_heads": 8,
}
SDXL = UNET | {
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 1, 1],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0] * 9,
    "context_dim": 2048,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
    "num_heads": -1,
    "num_head_channels": 64,
}


def sd15() -> Checkpoint:
    clip = {f"cond_stage_model.transformer.{key}": value for key, value in text_encoder.state_dict().items()}
    return _unet(SD15, clip | taesd(4, "first_stage_model.", 0.18215))


def sdxl() -> Checkpoint:
    return _unet(SDXL, sdxl_text_encoders() | taesd(4, "first_stage_model.", 0.13025))


def sdxl_zsnr_v() -> Checkpoint:
    return _unet(SDXL, {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)})


def playground_edm() -> Checkpoint:
    return _unet(SDXL, {"edm_mean": torch.zeros(1), "edm_std": torch.ones(1)})


def _unet(config: dict[str, Any], exact: State) -> Checkpoint:
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    prefix = "model.diffusion_model."
    return Checkpoint(on_meta(UNetModel, **config), prefix, torch.float16, exact, louder={f"{prefix}out.2.weight": 7})


def sd15_controlnet() -> Checkpoint:
    from comfy.cldm.cldm import ControlNet

    config = {key: value for key, value in SD15.items() if key not in ("out_channels", "transformer_depth_middle")}
    return Checkpoint(on_meta(ControlNet, **config, hint_channels=3, transformer_depth_middle=0))


def sd15_lora() -> Checkpoint:
    """Rank 4, on the attention to the prompt; strong enough to see."""
    lora = {}
    for name in ("to_k", "to_v"):
        key = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_{name}"
        lora[f"{key}.lora_up.weight"] = torch.randn(320, 4, generator=torch.Generator().manual_seed(1))
        lora[f"{key}.lora_down.weight"] = torch.randn(4, 768, generator=torch.Generator().manual_seed(2)) / 4
        lora[f"{key}.alpha"] = torch.tensor(4.0)
    return Checkpoint(None, exact=lora)


def cosmos_predict2() -> Checkpoint:
    from comfy.ldm.cosmos.predict2 import MiniTrainDIT

    return _cosmos(MiniTrainDIT)


def anima() -> Checkpoint:
    from comfy.ldm.anima.model import Anima

    return _cosmos(Anima)


def _cosmos(model: Callable[..., torch.nn.Module]) -> Checkpoint:
    size = {"max_img_h": 240, "max_img_w": 240, "max_frames": 128, "min_fps": 1, "max_fps": 30}
    config = {"in_channels": 16, "out_channels": 16, "patch_spatial": 2, "patch_temporal": 1, "model_channels": 2048}
    config |= {"num_blocks": 1, "num_heads": 16, "use_adaln_lora": True, "adaln_lora_dim": 256}
    position = {"pos_emb_cls": "rope3d", "pos_emb_learnable": True, "extra_per_block_abs_pos_emb": False}
    return Checkpoint(on_meta(model, **size, **config, **position), dtype=torch.bfloat16)


def ltx_av() -> Checkpoint:
    from comfy.ldm.lightricks.av_model import LTXAVModel

    config = {"num_attention_heads": 2, "attention_head_dim": 64, "cross_attention_dim": 128}
    config |= {"audio_num_attention_heads": 2, "audio_attention_head_dim": 32, "audio_cross_attention_dim": 64}
    config |= {"num_layers": 1, "caption_channels": 768}
    config |= {"connector_attention_head_dim": 64, "connector_num_attention_heads": 12, "connector_num_layers": 1}
    metadata = {"config": json.dumps({"transformer": config})}
    return Checkpoint(on_meta(LTXAVModel, **config), "model.diffusion_model.", metadata=metadata)


def ltx_2() -> Checkpoint:
    """The same as a whole checkpoint, with the tiny autoencoder for its video; without the one for its sound."""
    from comfy.taesd.taehv import TAEHV

    torch.manual_seed(0)
    checkpoint = ltx_av()
    checkpoint.exact = {f"vae.{key}": value.half() for key, value in TAEHV(latent_channels=128).state_dict().items()}
    return checkpoint


def minimax_h3() -> Checkpoint:
    from comfy.ldm.minimax.model import MiniMaxH3Model

    config = {"hidden_size": 128, "num_layers": 1, "token_refiner_num_layers": 1, "num_attention_heads": 1}
    config |= {"attention_head_dim": 128, "ffn_hidden_size": 128, "text_dim": 768}
    config |= {"time_embed_hidden_size": 128, "time_embed_dim": 64}
    frequencies = 10000.0 ** -(torch.arange(16) / 16)
    return Checkpoint(on_meta(MiniMaxH3Model, **config), exact={"rope.inv_freq": frequencies})


def clip_l() -> Checkpoint:
    return Checkpoint(None, exact=text_encoder.state_dict())


def clip_g() -> Checkpoint:
    return Checkpoint(None, exact=_clip_g(""))


def sdxl_text_encoders() -> dict[str, torch.Tensor]:
    """As an SDXL checkpoint names them."""
    small = text_encoder.state_dict()
    large = _clip_g("conditioner.embedders.1.model.transformer.")
    return {f"conditioner.embedders.0.transformer.{key}": value for key, value in small.items()} | large


def _clip_g(prefix: str) -> dict[str, torch.Tensor]:
    """The demo's text encoder in the size of CLIP-G: its words and positions, padded with zeros, and 32 idle layers."""
    small = text_encoder.state_dict()
    wide, narrow, words = 1280, text_encoder.WIDTH, text_encoder.VOCABULARY
    text = f"{prefix}text_model."
    layer = "encoder.layers.0."
    large = {}
    for key, value in small.items():
        if f".{layer}" in key:
            shape = [size // narrow * wide for size in value.shape]
            for i in range(32):
                name = key.replace(".0.", f".{i}.").replace("text_model.", text)
                large[name] = value.flatten()[:1].squeeze().expand(shape)
    embedding = torch.zeros(1, dtype=torch.float16)
    signs = torch.nn.functional.pad(text_encoder.token_embedding(), (0, wide - narrow))
    positions = torch.nn.functional.pad(text_encoder.position_embedding(), (0, wide - narrow))
    assert signs.shape == (words, wide)
    return large | {
        f"{text}embeddings.token_embedding.weight": signs,
        f"{text}embeddings.position_embedding.weight": positions,
        f"{text}final_layer_norm.weight": embedding.add(1).squeeze().expand(wide),
        f"{text}final_layer_norm.bias": embedding.squeeze().expand(wide),
        f"{prefix}text_projection.weight": torch.eye(wide, dtype=torch.float16),
    }


def taesd(channels: int, prefix: str = "", scale: float = 1.0) -> dict[str, torch.Tensor]:
    """The demo's VAE for latents of any number of channels; `scale` is the host's factor for this latent format."""
    encoder, decoder = vae.encoder(), vae.decoder()
    encoder |= {key: encoder[key][:channels] for key in ("14.weight", "14.bias")}
    decoder |= {"1.weight": decoder["1.weight"][:, :channels]}
    state = {f"{prefix}taesd_encoder.{key}": value for key, value in encoder.items()}
    state |= {f"{prefix}taesd_decoder.{key}": value for key, value in decoder.items()}
    return state | {f"{prefix}vae_scale": torch.tensor(scale), f"{prefix}vae_shift": torch.tensor(0.0)}


def taesd_vae() -> Checkpoint:
    return Checkpoint(None, exact=taesd(4, scale=0.18215))


def flux2_vae() -> Checkpoint:
    """FLUX.2's class with a small decoder; its latents are normalised, here by nothing."""
    from comfy.ldm.models.autoencoder import AutoencoderKL

    size = {"double_z": True, "z_channels": 32, "resolution": 256, "in_channels": 3, "out_ch": 3, "ch": 128}
    size |= {"ch_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_resolutions": [], "dropout": 0.0}
    size |= {"batch_norm_latent": True}
    checkpoint = _without_weights(AutoencoderKL(ddconfig=size, embed_dim=32, decoder_ddconfig=size | {"ch": 32}))
    checkpoint.exact = {"bn.running_mean": torch.zeros(128), "bn.running_var": torch.ones(128)}
    return checkpoint


def wan22_vae() -> Checkpoint:
    """The tiny autoencoder that is made for these latents of videos."""
    from comfy.taesd.taehv import TAEHV

    return _without_weights(TAEHV(latent_channels=48))


def wan21_vae() -> Checkpoint:
    from comfy.ldm.wan.vae import WanVAE

    # Built on the CPU and with its own weights: a random one may decode to anything.
    torch.manual_seed(0)
    size = {"dim": 2, "z_dim": 16, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2, "attn_scales": []}
    model = WanVAE(**size, temperal_downsample=[False, True, True], image_channels=3, conv_out_channels=3, dropout=0.0)
    return _without_weights(model)


def _without_weights(model: torch.nn.Module) -> Checkpoint:
    shapes = {key: value.to("meta") for key, value in model.state_dict().items()}
    holder = torch.nn.Module()
    holder.state_dict = lambda: shapes  # type: ignore[method-assign,assignment]
    return Checkpoint(holder)


BUILDERS: dict[str, Callable[[], Checkpoint]] = {
    builder.__name__: builder
    for builder in (
        sd3,
        flux,
        flux2,
        krea2,
        anima,
        qwen_image,
        lumina2,
        z_image,
        wan21,
        wan22,
        wan22_high,
        wan22_low,
        hunyuan_video15,
        kandinsky5,
        sd15,
        sdxl,
        sdxl_zsnr_v,
        playground_edm,
        cosmos_predict2,
        ltx_av,
        ltx_2,
        minimax_h3,
        sd15_controlnet,
        sd15_lora,
        clip_l,
        clip_g,
        taesd_vae,
        wan21_vae,
        wan22_vae,
        flux2_vae,
    )
}


def main(comfyui: str, folder: str, *kinds: str) -> None:
    sys.argv = [sys.argv[0]]  # or the host takes these for its own
    sys.path.insert(0, comfyui)
    import comfy.cli_args

    comfy.cli_args.args.cpu = True
    with torch.inference_mode():
        for kind in kinds:
            unfinished = Path(folder) / f"{kind}.{os.getpid()}.part"  # another process may build the same
            try:
                BUILDERS[kind]().write(unfinished, kind)
            except (AttributeError, ImportError, TypeError) as error:  # an older host may lack this one
                print(f"{kind}: {error!r}", file=sys.stderr)
            else:
                unfinished.replace(Path(folder) / f"{kind}.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
