"""Measured runs, without a model."""

from cotj.harness.host_modules import import_host

import_host()

import comfy.model_management  # noqa: E402
from cotj.nodes.host.rollout import Rollout  # noqa: E402


class Latent:
    """Knows only where it is."""

    def __init__(self, device):
        self.device = device

    def to(self, device):
        return Latent(device)


class Guider:
    """Leaves what a run ends in where the model is, as the host's does."""

    def __init__(self):
        self.model_options = {"transformer_options": {}}

    def sample(self, *_, **__):
        return Latent("gpu")


def test_a_run_ends_where_the_latents_of_other_nodes_are(monkeypatch):
    """As SamplerCustomAdvanced gives it: or it could not be held against one of them."""
    monkeypatch.setattr(comfy.model_management, "intermediate_device", lambda: "where nodes keep theirs")
    assert Rollout(Guider()).final(None, None, None, None, 1).device == "where nodes keep theirs"
