"""Every check of an input names the node that runs, the input and the way out; what passes comes back."""

from types import SimpleNamespace

import pytest
import torch
from cotj.harness.host_modules import import_host

import_host()

from cotj.nodes.host import inputs  # noqa: E402
from cotj.nodes.host.languages import texts_for  # noqa: E402
from cotj.planner import NoiseLevels  # noqa: E402
from cotj.planner.texts import spoken  # noqa: E402

NODE = "Some Node"
SCHEDULE = torch.tensor([1.0, 0.5, 0.0])


@pytest.mark.parametrize("problem", ["it is odd. Connect another", "it is odd. Connect another."])
def test_an_error_names_node_and_input_and_ends_in_one_full_stop(problem):
    assert str(inputs.input_error(NODE, "dna", problem)) == "Some Node, input 'dna': it is odd. Connect another."


@pytest.mark.parametrize("problem", ["太大。请减小", "太大。请减小。"])
def test_an_error_is_said_in_the_language_of_the_host(problem):
    with spoken(texts_for("zh")):
        error = inputs.input_error("Cache Steps", "calls", problem)
    assert str(error) == "缓存步骤，输入“调用次数”：太大。请减小。"


def test_blame_keeps_the_reason_and_leaves_other_errors_alone():
    class Narrow(ValueError): ...

    with pytest.raises(ValueError, match=r"^Some Node, input 'dna': broken\. Connect another\.$"):
        with inputs.blamed_on(NODE, "dna", "Connect another"):
            raise ValueError("broken")
    with pytest.raises(ValueError, match="^broken$"), inputs.blamed_on(NODE, "dna", fault=Narrow):
        raise ValueError("broken")
    with pytest.raises(KeyError), inputs.blamed_on(NODE, "dna"):
        raise KeyError("sigmas")


def test_a_schedule_within_the_model_passes():
    above = torch.tensor([1.0005, 0.5, 0.0])  # by rounding
    for sigmas in (SCHEDULE, above):
        assert inputs.whole_schedule(NODE, "sigmas", sigmas, 1.0) is sigmas
    for sigmas in (SCHEDULE, above, SCHEDULE[:2], SCHEDULE[:0]):
        assert inputs.part_of_schedule(NODE, "plan", sigmas, 1.0) is sigmas


@pytest.mark.parametrize("sigmas", [[], [0.0], [1.0, 0.5], [0.5, 1.0, 0.0], [1.0, 1.0, 0.0], [1.0, float("nan"), 0.0]])
def test_what_is_no_whole_schedule_is_refused(sigmas):
    with pytest.raises(ValueError, match="^Some Node, input 'sigmas': it is no whole schedule.* Connect one"):
        inputs.whole_schedule(NODE, "sigmas", torch.tensor(sigmas), 1.0)


def test_a_long_run_from_an_empty_latent_begins_in_noise():
    empty, image = ({"samples": torch.arange(4.0).reshape(1, 1, 2, 2) * scale} for scale in (0, 1))
    low, levels = torch.tensor([0.5, 0.2, 0.0]), NoiseLevels("flow", 0.001, 1.0)
    for sigmas, latent in ((SCHEDULE, empty), (SCHEDULE, image), (low, image)):
        assert inputs.reference_schedule(NODE, "a", sigmas, levels, latent) is sigmas
    with pytest.raises(
        ValueError, match=r"^Some Node, input 'a': it starts at sigma 0\.5, .*highest, 1\. Connect a whole"
    ):
        inputs.reference_schedule(NODE, "a", low, levels, empty)
    with pytest.raises(ValueError, match="it is no whole schedule"):
        inputs.reference_schedule(NODE, "a", SCHEDULE[:2], levels, empty)


@pytest.mark.parametrize("sigmas", [[0.0], [0.5, 1.0], [1.0, 1.0], [1.0, float("nan")], [1.0, -0.1]])
def test_what_is_no_part_of_one_is_refused(sigmas):
    with pytest.raises(ValueError, match="^Some Node, input 'plan': these SIGMAS do not descend.* Connect a schedule"):
        inputs.part_of_schedule(NODE, "plan", torch.tensor(sigmas), 1.0)


@pytest.mark.parametrize("check", [inputs.whole_schedule, inputs.part_of_schedule])
def test_a_schedule_above_the_model_is_refused(check):
    with pytest.raises(
        ValueError, match="^Some Node, input 'a': it starts at sigma 1.*no noise level above 0.99.*made"
    ):
        check(NODE, "a", SCHEDULE, 0.99)


def test_a_latent_gets_the_models_channels_and_keeps_what_came_in():
    model = SimpleNamespace(get_model_object=lambda _: SimpleNamespace(latent_channels=16, latent_dimensions=2))
    given = {"samples": torch.zeros(2, 4, 8, 8), "batch_index": [0, 1]}
    latent = inputs.whole_latent(NODE, given, model)
    assert latent["samples"].shape == (2, 16, 8, 8) and given["samples"].shape == (2, 4, 8, 8)
    assert latent["batch_index"] == [0, 1]
    with pytest.raises(ValueError, match="^Some Node, input 'latent_image': .*noise mask.*Connect"):
        inputs.whole_latent(NODE, given | {"noise_mask": torch.ones(1, 8, 8)}, model)


def test_noise_is_not_all_zero():
    latent = {"samples": torch.zeros(1, 4, 8, 8)}
    drawn = SimpleNamespace(generate_noise=lambda latent: latent["samples"] + 1)
    assert inputs.noise_for(NODE, drawn, latent).all()
    none = SimpleNamespace(generate_noise=lambda latent: latent["samples"])
    with pytest.raises(ValueError, match="^Some Node, input 'noise': .*all zero.* Connect RandomNoise"):
        inputs.noise_for(NODE, none, latent)


def test_names_of_files(tmp_path):
    files = {"a": tmp_path / "a"}
    assert inputs.plain_name(NODE, "name", "a b") == "a b"
    assert inputs.listed(NODE, "name", "a", files, "Save one.") == tmp_path / "a"
    with pytest.raises(ValueError, match="^Some Node, input 'name': '../a' is no file name"):
        inputs.plain_name(NODE, "name", "../a")
    with pytest.raises(ValueError, match=r"^Some Node, input 'name': there is no 'b'\. Save one\.$"):
        inputs.listed(NODE, "name", "b", files, "Save one.")
