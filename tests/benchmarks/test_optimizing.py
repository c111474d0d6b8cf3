"""The benchmark of how many pairs a search needs, at a small size."""

import re

import numpy as np
import pytest
from cotj.benchmarks import optimizing
from cotj.benchmarks.lab.mixture import mixture


def test_it_prints_a_line_for_each_way_with_ratios_inside_of_their_intervals(monkeypatch, capsys):
    monkeypatch.setattr(optimizing, "HELD_OUT", 24)
    optimizing.main(["--pairs", "3", "--steps", "3", "--repeats", "1"])
    lines = [line for line in capsys.readouterr().out.splitlines() if " of " in line and line.endswith("/1")]
    assert len(lines) == 2 * 4  # samplers; objectives, and one prompt
    for line in lines:
        found = re.findall(r"(\d\.\d\d) (\d\.\d\d)-(\d\.\d\d)", line)
        assert len(found) == 4
        for ratio, low, high in found:
            assert 0 < float(low) <= float(ratio) <= float(high)


@pytest.mark.parametrize("one_prompt", [False, True])
def test_pairs_are_of_one_prompt_only_where_that_is_asked_and_no_noise_is_a_mode(one_prompt):
    model = mixture(guidance=3.0)
    for seed in (1, 2):
        pairs = optimizing.MixturePairs(model, "euler", seed, 16, one_prompt)
        assert (len(set(pairs.prompts)) == 1) == one_prompt
        likeness = np.corrcoef(np.vstack([pairs.noises, model.means]))[:16, 16:]
        assert np.abs(likeness).max() < 0.5
