"""What stands in a template's graph for parts that no small file can stand for: wide text encoders, and sound."""

from cotj.harness.client import Workflow

ENCODERS = ("CLIPLoader", "DualCLIPLoader", "LTXAVTextEncoderLoader")
LEFT_OUT = (*ENCODERS, "T5TokenizerOptions", "LTXVAudioVAELoader", "LTXVEmptyLatentAudio", "LTXVAudioVAEDecode")


def without_large_encoders(workflow: Workflow, width: int, pooled_width: int) -> Workflow:
    """Give a graph whose text comes from a test-only node of these widths, and its empty sound too."""
    found: Workflow = {}
    for node_id, node in workflow.items():
        kind, inputs = node["class_type"], node["inputs"]
        text = {"width": width, "pooled_width": pooled_width}
        if kind == "CLIPTextEncode":
            node = node | {"class_type": "SmallModelsText", "inputs": text | {"text": inputs["text"]}}
        elif kind == "TextEncodeQwenImageEditPlus":
            # The picture is a reference latent, as the node makes it.
            for name, class_type, given in (
                ("words", "SmallModelsText", text | {"text": inputs["prompt"]}),
                ("latent", "VAEEncode", {"pixels": inputs["image1"], "vae": inputs["vae"]}),
            ):
                found[f"{node_id} {name}"] = {"class_type": class_type, "inputs": given}
            given = {"conditioning": [f"{node_id} words", 0], "latent": [f"{node_id} latent", 0]}
            node = node | {"class_type": "ReferenceLatent", "inputs": given}
        elif kind == "LTXVConcatAVLatent":
            sound = {"video": inputs["video_latent"], "channels": 8, "length": 4, "bins": 16}
            node = node | {"class_type": "SmallModelsAudioVideo", "inputs": sound}
        elif kind == "FluxKontextImageScale":  # to a megapixel
            size = {"width": 64, "height": 64, "upscale_method": "area", "crop": "disabled"}
            node = node | {"class_type": "ImageScale", "inputs": inputs | size}
        elif kind == "VAEDecodeTiled":  # which the tiny autoencoder of these latents cannot do
            node = node | {"class_type": "VAEDecode", "inputs": {name: inputs[name] for name in ("samples", "vae")}}
        elif kind == "CreateVideo":
            node = node | {"inputs": {name: value for name, value in inputs.items() if name != "audio"}}
        if kind not in LEFT_OUT:
            found[node_id] = node
    return found
