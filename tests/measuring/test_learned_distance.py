"""LPIPS, of a stand-in for its package: what is asked for, and when."""

import sys

import pytest
import torch
from cotj.measuring import learned_distance
from cotj.measuring.fidelity import fidelity
from cotj.measuring.learned_distance import learned_distances

PICTURES = torch.rand((2, 40, 32, 3), generator=torch.manual_seed(0))
PACKAGE = """
class LPIPS:
    def __init__(self, net, verbose):
        assert (net, verbose) == ("alex", False)

    def __call__(self, one, other, normalize):
        assert normalize and one.shape == other.shape == (1, 3, 40, 32)
        return (one - other).abs().mean()
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install the package, with an empty cache of torch hub; give the file that the weights belong into."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    (tmp_path / "lpips.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    learned_distance.lpips_at_hand.cache_clear()
    yield tmp_path / "hub" / "checkpoints" / "alexnet-owt-7be5be79.pth"
    learned_distance.lpips_at_hand.cache_clear()
    sys.modules.pop("lpips", None)


def test_without_weights_the_package_is_not_even_asked(package):
    assert learned_distances(PICTURES, PICTURES) is None
    assert "lpips" not in sys.modules
    assert fidelity(PICTURES, PICTURES).lpips is None


def test_with_weights_each_item_has_a_distance(package):
    package.parent.mkdir(parents=True)
    package.touch()
    found = fidelity(PICTURES, torch.stack([PICTURES[0], 1 - PICTURES[1]]))
    assert found.lpips == [0, pytest.approx(float((1 - 2 * PICTURES[1]).abs().mean()))]
    video = fidelity(PICTURES[None], torch.stack([PICTURES[0], 1 - PICTURES[1]])[None])
    assert video.lpips == [pytest.approx(found.lpips[1] / 2)]


def test_images_that_are_too_small_for_the_network_have_none(package):
    package.parent.mkdir(parents=True)
    package.touch()
    assert learned_distances(PICTURES[:, :30], PICTURES[:, :30]) is None
