"""The example workflows: every node and input is one that the host has, and each graph runs with a small model.

The small models have the architectures of the real ones, under the file names that the graphs ask for. Sizes and steps
are reduced; and where no small text encoder of a width exists, text comes from a test-only node.
"""

import io
import json
import re
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from cotj.demo.models.pack import write_vae
from cotj.demo.templates import write
from cotj.harness.environment import ROOT
from cotj.harness.graph import titled, to_api
from cotj.tests.small_models import build
from cotj.tests.small_models.run import SINCE, host_version, unknown_to
from PIL import Image

from .template_parts import without_large_encoders

FOLDER = ROOT / "example_workflows"
TEMPLATES = {path.stem: path for path in sorted(FOLDER.glob("*.json"))}

# File names in the graphs, and the small models that stand for them.
FILES = {
    "diffusion_models/flux-2-klein-base-4b.safetensors": "flux2",
    "diffusion_models/qwen_image_fp8_e4m3fn.safetensors": "qwen_image",
    "diffusion_models/qwen_image_2512_fp8_e4m3fn.safetensors": "qwen_image",
    "diffusion_models/qwen_image_edit_2511_fp8mixed.safetensors": "qwen_image",
    "diffusion_models/z_image_bf16.safetensors": "z_image",
    "diffusion_models/z_image_turbo_bf16.safetensors": "z_image",
    "diffusion_models/flux1-dev.safetensors": "flux",
    "diffusion_models/wan2.2_ti2v_5B_fp16.safetensors": "wan22",
    "diffusion_models/wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors": "wan22_high",
    "diffusion_models/wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors": "wan22_low",
    "diffusion_models/anima-base-v1.0.safetensors": "anima",
    # Flux, which Chroma was made from: its own class has a part of fixed size, 262 million parameters on 344 rows.
    "diffusion_models/Chroma1-HD-fp8mixed.safetensors": "flux",
    "diffusion_models/krea2_turbo_fp8_scaled.safetensors": "krea2",
    "checkpoints/sd_xl_base_1.0.safetensors": "sdxl",
    "checkpoints/ltx-2-19b-dev-fp8.safetensors": "ltx_2",
    "text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors": "clip_l",
    "vae/flux2-vae.safetensors": "flux2_vae",
    "vae/qwen_image_vae.safetensors": "wan21_vae",
    "vae/wan_2.1_vae.safetensors": "wan21_vae",
    "vae/wan2.2_vae.safetensors": "wan22_vae",
}
# Of embeddings and of the pooled one, by what the template's name holds.
TEXT_WIDTHS = {
    "FLUX.2": (7680, 1),
    "Qwen-Image": (3584, 1),
    "Z-Image": (2560, 1),
    "LTX-2": (768, 1),
    "Anima": (1024, 1),
    "Chroma": (768, 768),
    "Krea": (7680, 1),
    "Flux": (768, 768),
}
SMALLER = {
    "EmptySD3LatentImage": {"width": 64, "height": 64, "batch_size": 1},
    "EmptyLatentImage": {"width": 64, "height": 64},
    "EmptyFlux2LatentImage": {"width": 64, "height": 64},
    "EmptyHunyuanLatentVideo": {"width": 64, "height": 64, "length": 5},
    "EmptyLTXVLatentVideo": {"width": 64, "height": 64, "length": 9},
    "Wan22ImageToVideoLatent": {"width": 64, "height": 64, "length": 5},
    "CLIPLoader": {"type": "sd3"},  # in which the small text encoder is as wide as Wan's
    "KSampler": {"steps": 6},
    "LTXVScheduler": {"steps": 6},
    "CoTjKSampler": {"steps": 6, "calls": 3},
    "CoTjCacheSteps": {"calls": 3},
    "CoTjMeasureDNA": {"reference_steps": 2, "grid_points": 4},
    "CoTjMeasureExperts": {"reference_steps": 4, "grid_points": 6},
    "CoTjPlanSigmas": {"steps": 2},
    "CoTjPlanExperts": {"steps": 3},
    "CoTjAdaptiveLength": {"max_steps": 2},
    "CoTjCompareSchedules": {"reference_steps": 3},
    "CoTjOptimizeSigmas": {"steps": 2, "seeds": 1, "budget": 150, "reference_steps": 4, "check": 1},
}
SAMPLERS = ("KSampler", "SamplerCustomAdvanced", "CoTjKSampler")
SAVING = ("SaveImage", "SaveAnimatedWEBP", "SaveVideo")
NEWER_INPUTS = {("CreateVideo", "bit_depth")}  # than the oldest host's
OF_THE_DEMO = ("01 CoTj KSampler", "02 Demo model", "03 Optimize Sigmas")


def graph(name):
    return json.loads(TEMPLATES[name].read_text(encoding="utf-8"))


def of_the_pack(drawn):
    """The pack's own nodes in a graph, wherever they lie."""
    return [node | {"pos": None} for node in drawn["nodes"] if node["type"].startswith("CoTj")]


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


def test_they_are_in_order():
    assert [name.split(" ")[0] for name in TEMPLATES] == [f"{number:02}" for number in range(1, len(TEMPLATES) + 1)]
    assert set(write.TEMPLATES) < set(TEMPLATES)


@pytest.mark.parametrize("name", write.TEMPLATES)
def test_it_is_drawn_from_the_nodes_as_they_are(client, name):
    info = {key: info for key, info in client.object_info().items() if "Small" not in key}
    drawn, kept = json.loads(write.written(name, info)), graph(name)
    if host_version(client) < SINCE:  # whose own nodes differ; the pack's are the same
        drawn, kept = (of_the_pack(nodes) for nodes in (drawn, kept))
        assert drawn
    assert drawn == kept, "run `python demo templates`"


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
        unknown = {(node["class_type"], entry["name"]) for entry in nodes[node_id]["inputs"]} - {
            (node["class_type"], key) for key in known
        }
        assert unknown == set() or (unknown <= NEWER_INPUTS and host_version(client) < SINCE)


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


@pytest.mark.timeout(900)  # some are not that small
@pytest.mark.parametrize("name", TEMPLATES)
def test_it_runs(client, server, nothing_learned, name):
    provide(client, server.models, name)
    picture = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(picture, "PNG")
    client.upload_image("example.png", picture.getvalue())
    workflow = to_api(graph(name), client.object_info())
    for node in workflow.values():
        smaller = SMALLER.get(node["class_type"], {})
        node["inputs"] |= {key: value for key, value in smaller.items() if not isinstance(node["inputs"][key], list)}
        if name in OF_THE_DEMO and node["class_type"] == "EmptySD3LatentImage":
            node["inputs"] |= {"width": 256, "height": 256}  # the demo model's own
        if name == "06 Z-Image with CoTj KSampler" and "cfg" in node["inputs"]:
            node["inputs"]["cfg"] = 1.0  # half the time: this model cannot be made that small
    widths = next((widths for model, widths in TEXT_WIDTHS.items() if model in name), None)
    if widths:
        workflow = without_large_encoders(workflow, *widths)
    kinds = {node["class_type"]: node_id for node_id, node in workflow.items()}
    try:
        result = client.run(workflow)
        if cache := kinds.get("CoTjCacheSteps", kinds.get("CoTjKSampler")):
            change_seed(workflow)
            client.run(workflow)
            assert re.search("3 of 6 steps (computed|called the model)|^3 steps ran", client.texts[cache])
    finally:
        client.free()  # some take gigabytes of memory

    saved = [node_id for node_id, node in workflow.items() if node["class_type"] in SAVING]
    assert saved
    assert all(result.outputs[node_id]["images"] for node_id in saved)
    sampled = {}
    for event in result.of("progress"):
        if workflow[event["node"]]["class_type"] in SAMPLERS:
            sampled[event["node"]] = event["max"]
    samplers = [node_id for node_id, node in workflow.items() if node["class_type"] in SAMPLERS]
    assert set(sampled) == set(samplers)
    if "Optimize" in name:
        optimized = result.outputs[titled(workflow, "Optimize Sigmas")]
        assert optimized["images"] and "found on 4 images of 4 prompts" in optimized["text"][0]
        titles = ("Sample: the long run", "Sample: optimized", "Sample: the model's own")
        assert [sampled[titled(workflow, title)] for title in titles] == [50, 2, 2]
        return
    if cache:  # the first run, which is learned from
        assert list(sampled.values()) == [6]
        return
    if "checked" in name:  # sampled as ever
        assert list(sampled.values()) == [6]
        assert result.outputs[kinds["CoTjDiagnostics"]]
        return
    planned = [
        result.outputs[node_id]["cotj_plan"][0] for node_id in result.outputs if "cotj_plan" in result.outputs[node_id]
    ]
    assert planned
    if "two experts" in name:
        assert sum(sampled.values()) == planned[0]["steps"]
    elif len(samplers) == 1:
        assert sampled[samplers[0]] == planned[0]["steps"]


def provide(client, models: Path, name: str) -> None:
    """The small models that a graph asks for, under the names of the real ones."""
    asked = TEMPLATES[name].read_text(encoding="utf-8")
    for file, kind in FILES.items():
        if Path(file).name in asked:
            if reason := unknown_to(client, kind):
                pytest.skip(reason)
            build(kind, models / file)
    (models / "vae").mkdir(exist_ok=True)
    write_vae(models / "vae" / "ae.safetensors")


def change_seed(workflow):
    for node in workflow.values():
        for name in {"seed", "noise_seed"} & set(node["inputs"]):
            node["inputs"][name] += 1
