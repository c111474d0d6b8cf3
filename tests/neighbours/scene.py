"""The demo model in a graph, with whatever node of whatever pack samples it."""

from __future__ import annotations

from typing import Any

from cotj.demo.models import VAE
from cotj.tests.host.workflows import DemoRun, Graph, Node

CFG = 3.0
CALLS = "neighbours.calls"  # in the host's output folder; a byte for each call of the model


class Scene:
    """A graph that samples the demo model once.

    object_info: every node that the host knows. steps: what the sampler is asked for. model: what is sampled with; a
    node of ours may be put on it.
    """

    def __init__(self, object_info: dict[str, Any], steps: int, seed: int):
        self._known, self.steps, self.seed = object_info, steps, seed
        self.graph = Graph()
        run = DemoRun(self.graph, cfg=CFG, seed=seed, patch=("SmallModelsCountCalls", {"file": CALLS}))
        self.model, self.noise, self.latent = run.model, run.noise, run.latent
        self.vae = self.graph.add("VAELoader", vae_name=VAE)[0]
        self.positive, self.clip = run.positive, self.graph.nodes[run.positive[0]]["inputs"]["clip"]
        self.negative = self.graph.add("CLIPTextEncode", clip=self.clip, text="")[0]

    def add(self, node_type: str, **inputs: Any) -> Node:
        """Add a node; a widget that is not named has its default."""
        return self.graph.add(node_type, **defaults(self._known[node_type]["input"]) | inputs)

    def guider(self) -> list[Any]:
        """Guide the model as it is now."""
        return self.add("CFGGuider", model=self.model, positive=self.positive, negative=self.negative, cfg=CFG)[0]

    def sigmas(self) -> list[Any]:
        """Make the model's own schedule."""
        return self.add("BasicScheduler", model=self.model, scheduler="simple", steps=self.steps)[0]

    def euler(self) -> list[Any]:
        """Select a plain sampler of the host's."""
        return self.add("KSamplerSelect", sampler_name="euler")[0]

    def custom(self, sampler: Any = None, sigmas: Any = None, guider: Any = None) -> list[Any]:
        """Sample with a SAMPLER, SIGMAS or a GUIDER, and plain ones in place of those that are not given."""
        links = {"sampler": sampler or self.euler(), "sigmas": sigmas or self.sigmas()}
        links |= {"guider": guider or self.guider(), "noise": self.noise, "latent_image": self.latent}
        return self.add("SamplerCustomAdvanced", **links)[0]

    def ksampler(self, node_type: str = "KSampler", **inputs: Any) -> Node:
        """Sample with a node that has the inputs of KSampler."""
        links = {"model": self.model, "positive": self.positive, "negative": self.negative}
        links |= {"latent_image": self.latent}
        asked = {"seed": self.seed, "steps": self.steps, "cfg": CFG}
        asked |= {"sampler_name": "euler", "scheduler": "simple"}
        return self.add(node_type, **links | asked | inputs)

    def preview(self, latent: list[Any]) -> Node:
        """Show the image of a latent."""
        return self.add("PreviewImage", images=self.add("VAEDecode", samples=latent, vae=self.vae)[0])


def defaults(inputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Give what the widgets of a node's required inputs begin with."""
    found = {}
    for name, (kind, *options) in inputs.get("required", {}).items():
        settings = options[0] if options else {}
        choices = kind if isinstance(kind, list) else settings.get("options")
        if "default" in settings:
            found[name] = settings["default"]
        elif choices:
            found[name] = choices[0]
    return found
