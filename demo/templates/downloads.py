"""Where ComfyUI's own templates get the files from that ours ask for too."""

from __future__ import annotations

HUB = "https://huggingface.co/"
MODELS, TEXT, VAE, CHECKPOINTS = "diffusion_models", "text_encoders", "vae", "checkpoints"
PLACES = {
    "flux-2-klein-base-4b.safetensors": ("Comfy-Org/flux2-klein", f"split_files/{MODELS}", MODELS),
    "qwen_3_4b.safetensors": ("Comfy-Org/flux2-klein", f"split_files/{TEXT}", TEXT),
    "flux2-vae.safetensors": ("Comfy-Org/flux2-dev", f"split_files/{VAE}", VAE),
    "qwen_image_2512_fp8_e4m3fn.safetensors": ("Comfy-Org/Qwen-Image_ComfyUI", f"split_files/{MODELS}", MODELS),
    "qwen_2.5_vl_7b_fp8_scaled.safetensors": ("Comfy-Org/Qwen-Image_ComfyUI", f"split_files/{TEXT}", TEXT),
    "qwen_image_vae.safetensors": ("Comfy-Org/Qwen-Image_ComfyUI", f"split_files/{VAE}", VAE),
    "qwen_image_edit_2511_fp8mixed.safetensors": ("Comfy-Org/Qwen-Image-Edit_ComfyUI", f"split_files/{MODELS}", MODELS),
    "z_image_bf16.safetensors": ("Comfy-Org/z_image", f"split_files/{MODELS}", MODELS),
    "z_image_turbo_bf16.safetensors": ("Comfy-Org/z_image_turbo", f"split_files/{MODELS}", MODELS),
    "ae.safetensors": ("Comfy-Org/Lumina_Image_2.0_Repackaged", f"split_files/{VAE}", VAE),
    "wan2.2_ti2v_5B_fp16.safetensors": ("Comfy-Org/Wan_2.2_ComfyUI_Repackaged", f"split_files/{MODELS}", MODELS),
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors": ("Comfy-Org/Wan_2.1_ComfyUI_repackaged", f"split_files/{TEXT}", TEXT),
    "wan2.2_vae.safetensors": ("Comfy-Org/Wan_2.2_ComfyUI_Repackaged", f"split_files/{VAE}", VAE),
    "ltx-2-19b-dev-fp8.safetensors": ("Lightricks/LTX-2", "", CHECKPOINTS),
    "gemma_3_12B_it_fp4_mixed.safetensors": ("Comfy-Org/ltx-2", f"split_files/{TEXT}", TEXT),
    "anima-base-v1.0.safetensors": ("circlestone-labs/Anima", f"split_files/{MODELS}", MODELS),
    "qwen_3_06b_base.safetensors": ("circlestone-labs/Anima", f"split_files/{TEXT}", TEXT),
    "Chroma1-HD-fp8mixed.safetensors": ("Comfy-Org/Chroma1-HD_repackaged", f"split_files/{MODELS}", MODELS),
    "t5xxl_fp8_e4m3fn_scaled.safetensors": ("comfyanonymous/flux_text_encoders", "", TEXT),
    "krea2_turbo_fp8_scaled.safetensors": ("Comfy-Org/Krea-2", MODELS, MODELS),
    "qwen3vl_4b_fp8_scaled.safetensors": ("Comfy-Org/Krea-2", TEXT, TEXT),
}


def download(name: str) -> dict[str, str]:
    """Describe a file as the page wants it, to offer it where it is missing."""
    repository, folder, directory = PLACES[name]
    path = "/".join(filter(None, (folder, name)))
    return {"name": name, "url": f"{HUB}{repository}/resolve/main/{path}", "directory": directory}
