"""What the host says about the nodes before any of them runs."""

import urllib.request

import pytest
from cotj.demo.locales import HIDDEN, listed

NODES = {
    "CoTjMeasureDNA": "Measure DNA",
    "CoTjPlanSigmas": "Plan CoTj Sigmas",
    "CoTjAdaptiveLength": "Adaptive Length Threshold",
    "CoTjScheduleFromDNA": "Schedule from DNA",
    "CoTjResampleSigmas": "Resample Sigmas",
    "CoTjConstraints": "Plan Constraints",
    "CoTjHeatmap": "DNA Heatmap",
    "CoTjDiagnostics": "DNA Diagnostics",
    "CoTjAtlas": "DNA Atlas",
    "CoTjCompareSchedules": "Compare Schedules",
    "CoTjAverageDNA": "Average DNA",
    "CoTjSaveDNA": "Save DNA",
    "CoTjLoadDNA": "Load DNA",
    "CoTjPredictDNA": "Predict DNA",
    "CoTjRecordDNA": "Record DNA",
    "CoTjAddToDataSet": "Add to DNA Data Set",
    "CoTjSendPair": "Send DNA Pair",
    "CoTjSendRun": "Send Recorded Run",
    "CoTjDataSet": "DNA Data Set",
    "CoTjTrainPredictor": "Train DNA Predictor",
    "CoTjApplyPlan": "Apply CoTj Plan to Model (replaces the sampler's schedule)",
    "CoTjCacheSteps": "Cache Steps",
    "CoTjKSampler": "CoTj KSampler",
    "CoTjMeasureExperts": "Measure Expert DNAs",
    "CoTjPlanExperts": "Plan Expert Sigmas",
    "CoTjSplitAtBoundary": "Split Sigmas at Boundary",
    "CoTjUCGMSampler": "UCGM Sampler",
    "CoTjPlannedSampler": "Planned Sampler",
    "CoTjOptimizeSigmas": "Optimize Sigmas",
    "CoTjOptimizedSigmas": "Load Optimized Sigmas",
    "CoTjImageToScore": "Image to Score",
    "CoTjListCandidates": "List Candidate Sigmas",
    "CoTjPickByScore": "Pick Sigmas by Score",
    "CoTjSavePlan": "Save Plan",
    "CoTjLoadPlan": "Load Plan",
    "CoTjDemoModel": "Load Demo Model",
}
SAMPLING = ("model/sampling/schedulers", "model/sampling/sigmas", "model/sampling/samplers")


def inputs_of(info):
    """Every input with its options, the ones that an input grows included."""
    found = {}
    for group in ("required", "optional"):
        for name, (_, options) in info["input"].get(group, {}).items():
            found[name] = options
            for grown_group in options.get("template", {}).get("input", {}).values():
                found |= {f"{name}.{grown}": grown_options for grown, (_, grown_options) in grown_group.items()}
    return found


def test_all_nodes_are_listed_and_no_others(client):
    info = client.object_info()
    assert {name: node["display_name"] for name, node in listed(info).items()} == NODES
    assert {name for name in info if name.startswith("CoTj")} - NODES.keys() == HIDDEN
    assert all(info[name]["dev_only"] for name in HIDDEN)


@pytest.mark.parametrize("name", NODES)
def test_a_node_explains_itself(client, name):
    info = client.object_info()[name]
    assert info["description"]
    assert info["category"] in (("model/loaders",) if name == "CoTjDemoModel" else SAMPLING)
    inputs = inputs_of(info)
    assert inputs or name == "CoTjDemoModel"
    assert [name for name, options in inputs.items() if not options.get("tooltip")] == []
    assert len(info["output_tooltips"]) == len(info["output"])
    assert all(info["output_tooltips"])


def test_what_grows_has_a_tooltip_of_its_own(client):
    assert "dnas.dna" in inputs_of(client.object_info()["CoTjAverageDNA"])


@pytest.mark.parametrize("name", NODES)
def test_a_node_has_a_help_page(server, client, name):
    with urllib.request.urlopen(f"{server.url}/extensions/comfyui-cotj/docs/{name}.md") as reply:
        assert reply.read().decode().startswith(f"# {NODES[name]}\n")


def test_budget_and_threshold_are_sliders(client):
    info = client.object_info()
    assert inputs_of(info["CoTjPlanSigmas"])["steps"]["display"] == "slider"
    assert inputs_of(info["CoTjAdaptiveLength"])["threshold"]["display"] == "slider"
    assert inputs_of(info["CoTjCacheSteps"])["calls"]["display"] == "slider"


def test_the_hosts_own_schedulers_are_left_alone(client):
    schedulers = inputs_of(client.object_info()["BasicScheduler"])["scheduler"]["options"]
    assert not [name for name in schedulers if "cotj" in name.lower()]
