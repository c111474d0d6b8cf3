"""The benchmark of how well cost models rank schedules, at a small size."""

import re

from cotj.benchmarks import ranking
from cotj.planner import Multistep, Propagated


def test_a_row_for_every_model_and_a_column_for_every_cost_model(tmp_path, capsys):
    small = ["--prompts", "2", "--schedules", "12", "--samplers", "dpmpp_2m"]
    ranking.main([*small, "--cache", str(tmp_path / "kept.sqlite")])
    head, *rows = capsys.readouterr().out.split("\n\n")[0].splitlines()
    assert len(rows) == 4 and all(name in head for name in ranking.cost_models("dpmpp_2m"))
    for row in rows:
        ranks = [float(number) for number in re.findall(r"-?\d\.\d\d", row.partition("dpmpp_2m")[2])]
        assert len(ranks) == 2 * len(ranking.cost_models("dpmpp_2m")) and all(-1 <= rank <= 1 for rank in ranks)


def test_cost_models_are_those_that_plan_for_the_sampler():
    assert {type(one) for one in ranking.cost_models("euler").values()} >= {Propagated}
    assert {type(one) for one in ranking.cost_models("dpmpp_2m").values()} >= {Multistep}
