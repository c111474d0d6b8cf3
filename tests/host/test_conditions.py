"""A DNA is of what the sampler would follow: batches, several prompts, regions, masks, ControlNet and LoRA."""

import re

import numpy as np
import pytest
from cotj.harness.client import ComfyClient
from cotj.planner import dna_file
from cotj.tests.host.workflows import Graph, plan
from cotj.tests.small_models import FILES, install
from cotj.tests.small_models.run import SmallRun, install_for

CFG = 2.0


def combined(run, add):
    run.positive = add("ConditioningCombine", conditioning_1=run.positive, conditioning_2=run.text("a blue square"))


def area(run, add):
    region = add(
        "ConditioningSetArea", conditioning=run.text("a blue square"), width=64, height=64, x=64, y=0, strength=1.0
    )
    run.positive = add("ConditioningCombine", conditioning_1=run.positive, conditioning_2=region)


def mask(run, add):
    left = add("MaskToImage", mask=add("SolidMask", value=1.0, width=64, height=128))
    canvas = add("EmptyImage", width=128, height=128, batch_size=1, color=0)
    picture = add("ImageCompositeMasked", destination=canvas, source=left, x=0, y=0, resize_source=False)
    region = add("ImageToMask", image=picture, channel="red")
    run.positive = add(
        "ConditioningSetMask", conditioning=run.positive, mask=region, strength=1.0, set_cond_area="default"
    )


def controlnet(run, add, strength=1.0, end=1.0):
    net = add("ControlNetLoader", control_net_name=FILES["sd15_controlnet"])
    picture = add("EmptyImage", width=128, height=128, batch_size=1, color=0x80FF20)
    conditionings = {"positive": run.positive, "negative": run.negative}
    limits = {"strength": strength, "start_percent": 0.0, "end_percent": end}
    node = run.graph.add("ControlNetApplyAdvanced", control_net=net, image=picture, **conditionings, **limits)
    run.positive, run.negative = node[0], node[1]


def controlnet_half(run, add):
    controlnet(run, add, end=0.5)


def lora(run, add):
    run.model = add("LoraLoaderModelOnly", model=run.model, lora_name=FILES["sd15_lora"], strength_model=1.0)


def lora_weaker(run, add):
    run.model = add("LoraLoaderModelOnly", model=run.model, lora_name=FILES["sd15_lora"], strength_model=0.5)


CHANGES = [combined, area, mask, controlnet, controlnet_half, lora, lora_weaker]


@pytest.fixture(scope="module")
def dnas(server):
    """The DNAs of the small SD1.5 with each change, and without any."""
    install_for(server.models, "sd15")
    install(server.models, ["sd15_controlnet", "sd15_lora"])
    graph, names = Graph(), ["plain", "again"] + [change.__name__ for change in CHANGES]
    for name in names:
        run = SmallRun(graph, "sd15", cfg=CFG)
        run.latent = graph.add("EmptyLatentImage", width=128, height=128, batch_size=2)[0]
        if name not in ("plain", "again"):
            globals()[name](run, lambda class_type, **inputs: graph.add(class_type, **inputs)[0])
        measured = run.measure(reference_steps=2, grid_points=4)
        graph.add("CoTjSaveDNA", dna=measured[0], name=name, overwrite=True)
        graph.add("PreviewAny", source=run.sample(plan(graph, measured[0], steps=2)[0])[0])
    with ComfyClient(server.url) as client:
        client.run(graph.nodes)
    return {name: dna_file.read(server.models / "cotj" / f"{name}.safetensors") for name in names}


@pytest.mark.parametrize("name", [change.__name__ for change in CHANGES])
def test_what_steers_a_run_is_in_its_dna(dnas, name):
    np.testing.assert_array_equal(dnas["plain"].errors, dnas["again"].errors)
    assert np.isfinite(dnas[name].errors).all()
    assert np.abs(dnas[name].errors / dnas["plain"].errors - 1).max() > 1e-4


def test_a_batch_has_errors_of_each_item(dnas):
    items = np.array(dnas["plain"].meta["item_errors"])
    assert items.shape == (2, 4) and (items[0] != items[1]).all()
    np.testing.assert_allclose(items.mean(0), dnas["plain"].errors)


def test_controlnets_are_told_by_strength_and_range(dnas):
    told = [dnas[name].meta["controlnets"] for name in ("plain", "controlnet", "controlnet_half")]
    assert told[0] == [] and len({line.split()[1] for [line] in told[1:]}) == 1  # the fingerprint of its weights
    for [line], end in zip(told[1:], ("1", "0.5"), strict=True):
        assert re.fullmatch(rf"ControlNet \w+ at 1 from 0 to {end}", line)
    assert (dnas["controlnet"].errors != dnas["controlnet_half"].errors).all()


def test_a_lora_is_told_by_its_strength_and_the_checkpoint_stays_the_same(dnas):
    told = [dnas[name].meta["weight_patches"] for name in ("plain", "lora", "lora_weaker")]
    assert told[0] is None and len(set(told)) == 3
    assert len({dna.meta["checkpoint"] for dna in dnas.values()}) == 1
