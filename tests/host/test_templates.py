"""The example workflows: every node and input is one that the host has, and each graph runs with a small model.

The small models have the architectures of the real ones, under the file names that the graphs ask for. Sizes and steps
are reduced; and where no small text encoder of a width exists, text comes from a test-only node.
"""

import json
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from cotj.demo.bootstrap import ROOT
from cotj.demo.host.graph import titled, to_api
from cotj.demo.models import vae
from cotj.tests.small_models import build
from PIL import Image

FOLDER = ROOT / "example_workflows"
TEMPLATES = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}

# File names in the graphs, and the small models that stand for them.
FILES = {
    "diffusion_models/qwen_image_fp8_e4m3fn.safetensors": "qwen_image",
    "diffusion_models/z_image_turbo_bf16.safetensors": "z_image",
    "diffusion_models/flux1-dev.safetensors": "flux",
    "diffusion_models/wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors": "wan22_high",
    "diffusion_models/wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors": "wan22_low",
    "checkpoints/sd_xl_base_1.0.safetensors": "sdxl",
    "text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors": "clip_l",
    "vae/qwen_image_vae.safetensors": "wan21_vae",
    "vae/wan_2.1_vae.safetensors": "wan21_vae",
}
TEXT_WIDTHS = {"Qwen-Image": (3584, 1), "Z-Image-Turbo": (2560, 1), "Flux": (768, 768)}
SMALLER = {
    "EmptySD3LatentImage": {"width": 64, "height": 64, "batch_size": 1},
    "EmptyLatentImage": {"width": 64, "height": 64},
    "EmptyHunyuanLatentVideo": {"width": 64, "height": 64, "length": 5},
    "CLIPLoader": {"type": "sd3"},  # in which the small text encoder is as wide as Wan's
    "CoTjMeasureDNA": {"reference_steps": 2, "grid_points": 4},
    "CoTjMeasureExperts": {"reference_steps": 4, "grid_points": 6},
    "CoTjPlanSigmas": {"steps": 2},
    "CoTjPlanExperts": {"steps": 3},
    "CoTjAdaptiveLength": {"max_steps": 2},
    "CoTjCompareSchedules": {"reference_steps": 3},
    "CoTjOptimizeSigmas": {"steps": 2, "seeds": 1, "budget": 150, "reference_steps": 4, "check": 1},
}
OF_THE_DEMO = ("1 Demo model", "8 Optimize Sigmas")


def graph(name):
    return json.loads(TEMPLATES[name].read_text(encoding="utf-8"))


def inputs_of(info):
    """Every input's type by its name, those that an input grows included."""
    found = {}
    for group in ("required", "optional"):
        for name, (kind, *options) in info["input"].get(group, {}).items():
            found[name] = "COMBO" if isinstance(kind, list) else kind
            template = (options[0] if options else {}).get("template", {})
            for grown in template.get("input", {}).values():
                for grown_kind, *_ in grown.values():
                    found |= {f"{name}.{template['prefix']}{i}": grown_kind for i in range(template["max"])}
    return found


def test_there_is_one_for_every_model():
    assert list(TEMPLATES) == [
        "1 Demo model",
        "2 Qwen-Image planned",
        "3 Qwen-Image adaptive",
        "4 Z-Image-Turbo planned",
        "5 Flux measured",
        "6 SDXL measured",
        "7 Wan 2.2 two experts",
        "8 Optimize Sigmas",
    ]


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_node_and_input_is_known(client, name):
    info = client.object_info()
    drawn = graph(name)
    notes = [node for node in drawn["nodes"] if node["type"] == "MarkdownNote"]
    assert len(notes) == 1
    nodes = {str(node["id"]): node for node in drawn["nodes"] if node not in notes}
    assert [node["type"] for node in nodes.values() if node["type"] not in info] == []
    for node_id, node in to_api(drawn, info).items():
        schema, known = info[node["class_type"]], inputs_of(info[node["class_type"]])
        assert set(node["inputs"]) <= set(known), node["class_type"]
        needed = {key for key in schema["input"].get("required", {}) if known[key] != "COMFY_AUTOGROW_V3"}
        assert needed <= set(node["inputs"]), node["class_type"]
        for key, value in node["inputs"].items():
            if isinstance(value, list):
                source, output = value
                given = info[nodes[source]["type"]]["output"][output]
                assert given in known[key].split(",") or known[key] == "*", (node["class_type"], key)
            elif known[key] in ("INT", "FLOAT", "BOOLEAN", "STRING"):
                kinds = {"INT": int, "FLOAT": (int, float), "BOOLEAN": bool, "STRING": str}
                assert isinstance(value, kinds[known[key]]), (node["class_type"], key, value)
        assert [entry["name"] for entry in nodes[node_id]["inputs"] if entry["name"] not in known] == []


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_node_lies_on_another(name):
    boxes = [
        (node["pos"][0], node["pos"][1] - 30, node["pos"][0] + node["size"][0], node["pos"][1] + node["size"][1])
        for node in graph(name)["nodes"]
    ]
    apart = [
        a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for i, a in enumerate(boxes) for b in boxes[:i]
    ]
    assert all(apart)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_host_serves_it_with_its_picture(server, client, name):
    with urllib.request.urlopen(f"{server.url}/workflow_templates") as reply:
        assert name in json.load(reply)["comfyui-cotj"]
    address = f"{server.url}/api/workflow_templates/comfyui-cotj/{urllib.parse.quote(name)}"
    with urllib.request.urlopen(f"{address}.json") as reply:
        assert json.load(reply) == graph(name)
    with urllib.request.urlopen(f"{address}.jpg") as reply:
        picture = Image.open(reply)
        assert picture.format == "JPEG" and picture.width >= 640


@pytest.mark.parametrize("name", TEMPLATES)
def test_it_runs(client, server, demo_models, name):
    provide(server.models)
    workflow = to_api(graph(name), client.object_info())
    for node in workflow.values():
        smaller = SMALLER.get(node["class_type"], {})
        node["inputs"] |= {key: value for key, value in smaller.items() if not isinstance(node["inputs"][key], list)}
        if name in OF_THE_DEMO and node["class_type"] == "EmptySD3LatentImage":
            node["inputs"] |= {"width": 256, "height": 256}  # the demo model's own
    widths = next((widths for model, widths in TEXT_WIDTHS.items() if model in name), None)
    if widths:
        replace_text_encoder(workflow, *widths)
    try:
        result = client.run(workflow)
    finally:
        client.free()  # some take gigabytes of memory

    saved = [node_id for node_id, node in workflow.items() if node["class_type"] in ("SaveImage", "SaveAnimatedWEBP")]
    assert saved
    assert all(result.outputs[node_id]["images"] for node_id in saved)
    sampled = {}
    for event in result.of("progress"):
        if workflow[event["node"]]["class_type"] == "SamplerCustomAdvanced":
            sampled[event["node"]] = event["max"]
    samplers = [node_id for node_id, node in workflow.items() if node["class_type"] == "SamplerCustomAdvanced"]
    assert set(sampled) == set(samplers)
    if "Optimize" in name:
        optimized = result.outputs[titled(workflow, "Optimize Sigmas")]
        assert optimized["images"] and "found on 4 images of 4 prompts" in optimized["text"][0]
        titles = ("Sample: the long run", "Sample: optimized", "Sample: the model's own")
        assert [sampled[titled(workflow, title)] for title in titles] == [50, 2, 2]
        return
    planned = [
        result.outputs[node_id]["cotj_plan"][0] for node_id in result.outputs if "cotj_plan" in result.outputs[node_id]
    ]
    assert planned
    if "two experts" in name:
        assert sum(sampled.values()) == planned[0]["steps"]
    elif len(samplers) == 1:
        assert sampled[samplers[0]] == planned[0]["steps"]


def provide(models: Path) -> None:
    """The small models under the names of the real ones."""
    for file, kind in FILES.items():
        build(kind, models / file)
    vae.write(models / "vae" / "ae.safetensors")


def replace_text_encoder(workflow, width, pooled_width):
    for node in workflow.values():
        if node["class_type"] == "CLIPTextEncode":
            text = {"text": node["inputs"]["text"], "width": width, "pooled_width": pooled_width}
            node |= {"class_type": "SmallModelsText", "inputs": text}
    for node_id in [i for i, node in workflow.items() if node["class_type"] in ("CLIPLoader", "DualCLIPLoader")]:
        del workflow[node_id]
