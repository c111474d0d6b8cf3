"""Graphs with Cache Steps or CoTj KSampler: the model's usual run, with fewer calls of the model."""

from __future__ import annotations

from typing import Any

from .downloads import download
from .drawing import Drawing
from .parts import FILES, LEARNS, ksampler, load, picture, prompts

CACHE = "**Cache Steps** is the only node that is added to the usual graph: KSampler and its settings stay as they are."


def qwen_image_2512(name: str, info: dict[str, Any]) -> Drawing:
    """Draw Cache Steps before a plain KSampler."""
    drawing = Drawing(
        name,
        info,
        f"""## Qwen-Image-2512: 50 steps, 20 calls

{CACHE}

{LEARNS}

- **calls**: fewer are faster, more come nearer to the picture of all 50 steps.
- A change of size, steps, guidance or LoRA makes one more whole run: it is another kind of run.

{FILES}""",
    )
    names = ("qwen_image_2512_fp8_e4m3fn.safetensors", "qwen_2.5_vl_7b_fp8_scaled.safetensors", "qwen_image")
    loaded = load(drawing, *names, "qwen_image_vae.safetensors", ("ModelSamplingAuraFlow", 3.1))
    drawing.group("Prompt and size", 380)
    text = "a night train crossing a stone viaduct under the Milky Way, warm windows, long exposure"
    texts = prompts(drawing, loaded.clip, text)
    latent = drawing.add("EmptySD3LatentImage", width=1328, height=1328)[0]
    drawing.group("Fewer calls of the model", 380)
    model = drawing.add("CoTjCacheSteps", model=loaded.model, calls=20)[0]
    drawing.group("Sample as ever", 300)
    run = {"steps": 50, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple"}
    picture(drawing, ksampler(drawing, model, texts, latent, run), loaded.vae, "cotj-qwen-image-2512")
    return drawing


def wan_5b(name: str, info: dict[str, Any]) -> Drawing:
    """Draw Cache Steps before a KSampler with uni_pc, for video."""
    drawing = Drawing(
        name,
        info,
        f"""## Wan 2.2 5B: 20 steps, 9 calls

{CACHE}

{LEARNS}

- Connect an image to **start_image** of *Wan22ImageToVideoLatent* for image to video. That is another kind of run, and
is learned once more.
- Shorten **length** to learn what you like quickly; the full length is then learned in a run of its own.

{FILES}""",
    )
    names = ("wan2.2_ti2v_5B_fp16.safetensors", "umt5_xxl_fp8_e4m3fn_scaled.safetensors", "wan")
    loaded = load(drawing, *names, "wan2.2_vae.safetensors", ("ModelSamplingSD3", 8.0))
    drawing.group("Prompt and size", 380)
    text = "slow dolly along a harbour wall at dawn, fishing boats rocking, gulls lifting off one by one"
    texts = prompts(drawing, loaded.clip, text, "overexposed, static, blurred details, subtitles, low quality")
    size = {"width": 1280, "height": 704, "length": 121}
    latent = drawing.add("Wan22ImageToVideoLatent", vae=loaded.vae, **size)[0]
    drawing.group("Fewer calls of the model", 380)
    model = drawing.add("CoTjCacheSteps", model=loaded.model, calls=9)[0]
    drawing.group("Sample as ever", 300)
    run = {"steps": 20, "cfg": 5.0, "sampler_name": "uni_pc", "scheduler": "simple"}
    samples = ksampler(drawing, model, texts, latent, run)
    drawing.group("Look", 420)
    images = drawing.add("VAEDecode", samples=samples, vae=loaded.vae)[0]
    video = drawing.add("CreateVideo", images=images, fps=24.0)[0]
    drawing.add("SaveVideo", video=video, filename_prefix="video/cotj-wan-5b")
    return drawing


def ltx_2(name: str, info: dict[str, Any]) -> Drawing:
    """Draw Cache Steps before a guider, for video with sound."""
    drawing = Drawing(
        name,
        info,
        f"""## LTX-2: video with sound, 20 steps, 12 calls

**Cache Steps** stands between the model and the guider; LTXVScheduler and everything else stay as they are. Video and
sound are sampled together. Nothing can be learned from such a latent: so the steps that call the model are spaced
*evenly*, and in between its last guess is held. There is no first run to wait for.

- **calls**: fewer are faster, more come nearer to the video of all 20 steps.

- This is the first stage of ComfyUI's own template. Its second stage, on an upscaled latent, has trained sigmas: leave
them.
- The distilled LTX-2 has trained sigmas too, and needs nothing here.

{FILES}""",
    )
    file, gemma = "ltx-2-19b-dev-fp8.safetensors", "gemma_3_12B_it_fp4_mixed.safetensors"
    drawing.group("Model", 360)
    checkpoint = drawing.add("CheckpointLoaderSimple", ckpt_name=file, files=[download(file)])
    names = {"text_encoder": gemma, "ckpt_name": file}
    clip = drawing.add("LTXAVTextEncoderLoader", **names, files=[download(gemma), download(file)])[0]
    audio_vae = drawing.add("LTXVAudioVAELoader", ckpt_name=file, files=[download(file)])[0]
    drawing.group("Prompt and size", 380)
    text = "a street musician tunes a cello under a bridge, the first notes echo, rain begins to fall"
    positive, negative = prompts(drawing, clip, text, "blurry, low quality, still frame, watermark, subtitles")
    frames, rate = 97, 25
    given = drawing.add("LTXVConditioning", positive=positive, negative=negative, frame_rate=float(rate))
    video = drawing.add("EmptyLTXVLatentVideo", width=768, height=512, length=frames)[0]
    audio = drawing.add("LTXVEmptyLatentAudio", frames_number=frames, frame_rate=rate, audio_vae=audio_vae)[0]
    latent = drawing.add("LTXVConcatAVLatent", video_latent=video, audio_latent=audio)[0]
    drawing.group("Fewer calls of the model", 380)
    model = drawing.add("CoTjCacheSteps", model=checkpoint[0], calls=12, steps="evenly", rule="hold")[0]
    drawing.group("Sample as ever", 320)
    guider = drawing.add("CFGGuider", model=model, positive=given[0], negative=given[1], cfg=4.0)[0]
    sampled = drawing.add(
        "SamplerCustomAdvanced",
        noise=drawing.add("RandomNoise", noise_seed=7)[0],
        guider=guider,
        sampler=drawing.add("KSamplerSelect", sampler_name="euler")[0],
        sigmas=drawing.add("LTXVScheduler", steps=20, latent=latent)[0],
        latent_image=latent,
    )[0]
    drawing.group("Look and listen", 420)
    parts = drawing.add("LTXVSeparateAVLatent", av_latent=sampled)
    images = drawing.add("VAEDecodeTiled", samples=parts[0], vae=checkpoint[2], temporal_size=4096)[0]
    sound = drawing.add("LTXVAudioVAEDecode", samples=parts[1], audio_vae=audio_vae)[0]
    made = drawing.add("CreateVideo", images=images, audio=sound, fps=float(rate))[0]
    drawing.add("SaveVideo", video=made, filename_prefix="video/cotj-ltx-2")
    return drawing


def qwen_image_edit_2511(name: str, info: dict[str, Any]) -> Drawing:
    """Draw Cache Steps after the patches of an editing model."""
    drawing = Drawing(
        name,
        info,
        f"""## Qwen-Image-Edit-2511: 40 steps, 16 calls

Change a picture by words. {CACHE}

{LEARNS}

- Each size of picture is learned once; the words and the picture itself do not count.
- More pictures go into image2 and image3 of both *TextEncodeQwenImageEditPlus*.

{FILES}""",
    )
    names = ("qwen_image_edit_2511_fp8mixed.safetensors", "qwen_2.5_vl_7b_fp8_scaled.safetensors", "qwen_image")
    loaded = load(drawing, *names, "qwen_image_vae.safetensors", ("ModelSamplingAuraFlow", 3.1))
    normed = drawing.add("CFGNorm", model=loaded.model, strength=1.0)[0]
    drawing.group("Picture and words", 400)
    image = drawing.add("LoadImage", image="example.png")[0]
    image = drawing.add("FluxKontextImageScale", image=image)[0]
    texts = []
    for title, text in (("What to change", "turn the scene into a snowy winter evening"), ("Negative prompt", "")):
        encoded = drawing.add(
            "TextEncodeQwenImageEditPlus", title, clip=loaded.clip, vae=loaded.vae, image1=image, prompt=text
        )[0]
        method = {"conditioning": encoded, "reference_latents_method": "index_timestep_zero"}
        texts.append(drawing.add("FluxKontextMultiReferenceLatentMethod", **method)[0])
    latent = drawing.add("VAEEncode", pixels=image, vae=loaded.vae)[0]
    drawing.group("Fewer calls of the model", 380)
    model = drawing.add("CoTjCacheSteps", model=normed, calls=16)[0]
    drawing.group("Sample as ever", 300)
    run = {"steps": 40, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple"}
    samples = ksampler(drawing, model, (texts[0], texts[1]), latent, run)
    picture(drawing, samples, loaded.vae, "cotj-qwen-image-edit")
    return drawing


ONE_NODE = "**CoTj KSampler** stands where KSampler stood, with one slider more: how often the model may be called."


def z_image(name: str, info: dict[str, Any]) -> Drawing:
    """Draw CoTj KSampler with a multistep sampler."""
    drawing = Drawing(
        name,
        info,
        f"""## Z-Image: 25 steps, 10 calls

{ONE_NODE}

{LEARNS}

- *res_multistep* is the sampler of ComfyUI's own template. It stays, in all 25 steps.
- The text below the strip says which way was taken, why, and what would be better.

{FILES}""",
    )
    names = ("z_image_bf16.safetensors", "qwen_3_4b.safetensors", "lumina2")
    loaded = load(drawing, *names, "ae.safetensors", ("ModelSamplingAuraFlow", 3.0))
    drawing.group("Prompt and size", 380)
    text = "a glassblower at work, molten amber light on her face, sparks in the dark workshop"
    texts = prompts(drawing, loaded.clip, text)
    latent = drawing.add("EmptySD3LatentImage", width=1024, height=1024)[0]
    run = {"calls": 10, "steps": 25, "cfg": 4.0, "sampler_name": "res_multistep", "scheduler": "simple"}
    return _sampled_with_ours(drawing, loaded, texts, latent, run, "cotj-z-image")


def anima(name: str, info: dict[str, Any]) -> Drawing:
    """Draw CoTj KSampler with Euler."""
    drawing = Drawing(
        name,
        info,
        f"""## Anima: 30 steps, 12 calls

{ONE_NODE}

{LEARNS}

- **learn** (advanced) at *first 8 runs* suits prompts that differ much.
- The turbo LoRA has trained steps: with it, use KSampler as it is.

{FILES}""",
    )
    names = ("anima-base-v1.0.safetensors", "qwen_3_06b_base.safetensors", "stable_diffusion")
    loaded = load(drawing, *names, "qwen_image_vae.safetensors", None)
    drawing.group("Prompt and size", 380)
    text = "masterpiece, best quality, 1girl, lighthouse keeper, yellow raincoat, lantern, stormy sea, seagulls"
    texts = prompts(drawing, loaded.clip, text, "worst quality, low quality, blurry, jpeg artifacts")
    latent = drawing.add("EmptyLatentImage", width=1024, height=1024)[0]
    run = {"calls": 12, "steps": 30, "cfg": 4.0, "sampler_name": "euler", "scheduler": "simple"}
    return _sampled_with_ours(drawing, loaded, texts, latent, run, "cotj-anima")


def _sampled_with_ours(
    drawing: Drawing, loaded: Any, texts: Any, latent: Any, run: dict[str, Any], prefix: str
) -> Drawing:
    drawing.group("Sample with few calls", 400)
    positive, negative = texts
    inputs = {"model": loaded.model, "positive": positive, "negative": negative, "latent_image": latent}
    samples = drawing.add("CoTjKSampler", seed=7, **inputs, **run)[0]
    picture(drawing, samples, loaded.vae, prefix)
    return drawing
