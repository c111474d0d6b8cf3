"""The short form of the campaign: the first trials of every attack, without a fault."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from cotj.tests.robustness import ATTACKS, mutations
from cotj.tests.robustness.attack import Attack, Outcome, largest
from cotj.tests.robustness.results import Results, table


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_the_first_trials_have_no_fault(attack: Attack):
    # Not in pytest's folder, which a child that gives up its rights may not enter.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        outcomes = list(attack.run(range(attack.short), Path(folder)))
    assert [outcome.number for outcome in outcomes] == list(range(attack.short))
    print(f"\n{attack.short} trials: {attack.summary([outcome.figures for outcome in outcomes])}")
    assert [outcome for outcome in outcomes if outcome.fault] == []


def test_outcomes_are_kept_and_counted_also_beside_a_line_that_was_cut_short(tmp_path):
    attack = Attack("a", "an attack", 3, 1, lambda numbers, folder: iter(()), largest)
    results = Results(tmp_path / "new" / "results.jsonl")
    for outcome in (Outcome(0, "a fault"), Outcome(1, figures={"seconds": 2.0}), Outcome(0)):
        results.add(attack, outcome)
    with results.path.open("a") as file:
        file.write('{"attack": "a", "num')
    assert results.of(attack) == {0: Outcome(0), 1: Outcome(1, figures={"seconds": 2.0})}
    assert table([attack], results).splitlines()[2] == "| an attack | 2 | 0 | seconds at most 2 |"


def test_mutations_change_something_and_follow_from_their_seed():
    whole = {"a": [1, 2, {"b": "c"}], "d": 0.5}
    data = json.dumps(whole).encode()
    for change, value in ((mutations.changed, whole), (mutations.damaged, data)):
        made = [repr(change(value, np.random.default_rng(seed))) for seed in range(50)]
        assert made == [repr(change(value, np.random.default_rng(seed))) for seed in range(50)]
        assert len(set(made)) > 20 and sum(one == repr(value) for one in made) < 10
