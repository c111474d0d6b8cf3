"""The benchmark of forks, on a small exact mixture."""

import pytest
from cotj.benchmarks import forks
from cotj.benchmarks.lab.models import MixtureSubject
from cotj.benchmarks.lab.runs import Runs, Store


@pytest.mark.parametrize("kind", ["flow", "ve"])
def test_the_long_run_itself_does_not_stray_and_a_rule_costs_nothing_or_more(tmp_path, kind):
    runs = Runs(MixtureSubject(3.0, kind, prompts=4, seeds=2), Store(tmp_path / "kept.sqlite"))
    assert runs.strays(*runs.reference_run("own"), runs.subject.calibration).max() < 1e-5
    (forked, share), added, found = forks.cell(runs, "dpmpp_2m", 4)
    assert (added > 0).all()
    assert 0 <= forked <= 1 and 0 <= share <= 1
    assert list(found) == list(forks.RULES)
    for rho, regret in found.values():
        assert -1 <= rho <= 1 and regret >= 1
