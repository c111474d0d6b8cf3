"""What makes the host's classes small where its loaders know one size alone: by our name, the class and its config."""

from typing import Any

FLUX = {"hidden_size": 128, "num_heads": 1, "depth": 1, "depth_single_blocks": 1, "mlp_ratio": 4.0, "qkv_bias": True}
UNET = {
    "image_size": 32,
    "out_channels": 4,
    "model_channels": 64,
    "num_res_blocks": [1],
    "channel_mult": [1],
    "use_spatial_transformer": True,
    "transformer_depth": [1],
    "transformer_depth_output": [1, 1],
    "transformer_depth_middle": 1,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "num_heads": -1,
    "num_head_channels": 64,
    "legacy": False,
}
WIDE = 256  # of the text

# By name: the class of comfy.supported_models, and its model's configuration.
HOST_CLASSES: dict[str, tuple[str, dict[str, Any]]] = {
    "chroma": (
        "Chroma",
        FLUX
        | {"image_model": "chroma", "in_channels": 64, "out_channels": 64, "context_in_dim": WIDE, "patch_size": 2}
        | {"in_dim": 64, "hidden_dim": 128, "out_dim": 128, "n_layers": 1, "vec_in_dim": None}
        | {"axes_dim": [16, 56, 56], "theta": 10000, "txt_ids_dims": []},
    ),
    "hidream": (
        "HiDream",
        {"image_model": "hidream", "in_channels": 16, "out_channels": 16, "patch_size": 2, "max_resolution": [128, 128]}
        | {"num_attention_heads": 1, "attention_head_dim": 128, "axes_dims_rope": [64, 32, 32], "num_layers": 1}
        | {"num_single_layers": 1, "num_routed_experts": 2, "num_activated_experts": 1}
        | {"caption_channels": [WIDE, WIDE], "text_emb_dim": WIDE, "llama_layers": [0, 1]},
    ),
    "ernie": (
        "ErnieImage",
        {"image_model": "ernie", "hidden_size": 128, "num_attention_heads": 1, "num_layers": 1, "ffn_hidden_size": 256}
        | {"text_in_dim": WIDE},
    ),
    "ideogram4": (
        "Ideogram4",
        {"image_model": "ideogram4", "num_layers": 1, "num_attention_heads": 1, "attention_head_dim": 128}
        | {"intermediate_size": 256, "adaln_dim": 64, "llm_features_dim": WIDE},
    ),
    "cogvideox": (  # DDPM's v-prediction
        "CogVideoX_T2V",
        {"image_model": "cogvideox", "num_attention_heads": 3, "num_layers": 1, "text_embed_dim": WIDE}
        | {"time_embed_dim": 64, "sample_width": 8, "sample_height": 8, "sample_frames": 5},
    ),
    "stable_audio": (  # v-prediction at continuous times
        "StableAudio",
        {"audio_model": "dit1.0", "embed_dim": 768, "depth": 1, "num_heads": 12, "global_cond_dim": 1536},
    ),
    "stable_cascade": (
        "Stable_Cascade_C",
        {"stable_cascade_stage": "c", "c_cond": 128, "c_hidden": [128, 128], "nhead": [2, 2]}
        | {"blocks": [[1, 1], [1, 1]], "c_clip_text": WIDE, "c_clip_text_pooled": WIDE},
    ),
    "svd": (  # EDM's v-prediction, up to a sigma of 700
        "SVD_img2vid",
        UNET
        | {"in_channels": 8, "context_dim": WIDE, "adm_in_channels": 768}
        | {"use_temporal_attention": True, "use_temporal_resblock": True, "video_kernel_size": [3, 1, 1]}
        | {"merge_strategy": "learned_with_images", "merge_factor": 0.0},
    ),
}
