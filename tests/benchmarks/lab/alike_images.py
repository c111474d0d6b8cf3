"""A server without a model, whose images are all alike, for what the reachability benchmark asks of servers."""

from __future__ import annotations

from types import SimpleNamespace

from cotj.benchmarks.lab import workflow
from cotj.benchmarks.lab.runs import MEASURES
from cotj.nodes.live.shown_dnas import encode

PROMPTS = ("a red circle", "a blue square", "a green star", "two red circles")
SD = workflow.Model(checkpoint="sd [v1.5] (pruned).safetensors", size=(512, 512))


class Server:
    """Where heun makes two calls a step but for the last, and all images are alike. runs: what was asked of it."""

    def __init__(self, dna=None):
        self.runs, self.dna = [], dna

    def object_info(self):
        return {"BasicScheduler": {"input": {"required": {"scheduler": [["simple", "beta"]]}}}}

    def run(self, nodes):
        self.runs.append(nodes)
        outputs = {}
        for key, node in nodes.items():
            if node["class_type"] == "CoTjCompareSchedules":
                links = [link for name, link in node["inputs"].items() if name.startswith("schedules.")]
                rows = [self.row(nodes, node["inputs"], link) for link in links]
                seed = nodes[node["inputs"]["noise"][0]]["inputs"]["noise_seed"]
                about = {"seed": seed, "model": {"model": "SD"}}
                outputs[key] = {"cotj_comparison": [{"schedules": rows, "reference": about}]}
            if node["class_type"] == "CoTjPlanSigmas" and self.dna:
                outputs[key] = {"cotj_plan": [{"request": {"content": encode(self.dna)}}]}
        return SimpleNamespace(outputs=outputs)

    def row(self, nodes, inputs, link):
        calls = 7 if nodes[inputs["sampler"][0]]["inputs"]["sampler_name"] == "heun" else 4
        figures = dict.fromkeys(MEASURES) | {"mse": [self.error(nodes, inputs, link)]}
        return figures | {"calls": calls, "sigmas": [1, 0]}

    def error(self, nodes, inputs, link):
        """As many tenths as the reference has steps."""
        if "reference" not in inputs:
            return 0.1 * inputs["reference_steps"]
        return 0.1 * steps_of(nodes[nodes[inputs["reference"][0]]["inputs"]["sigmas"][0]]["inputs"])


def steps_of(inputs):
    """Of a schedule by its node."""
    return inputs["steps"] if "steps" in inputs else len(inputs["sigmas"].split(", ")) - 1


def served_model(converged_steps=0, **options):
    return workflow.ServedModel(SD, 1.0, PROMPTS[:2], PROMPTS[2:], 30, converged_steps=converged_steps, **options)
