"""What the benchmarks' commands are asked for and cannot run, said before anything runs."""

import pytest
from cotj.benchmarks import caching, solvers


@pytest.mark.parametrize(
    ("main", "asked", "told"),
    [
        (caching.main, ["--steps", "20", "50", "--calls", "20"], "no cache leaves anything out of 20 steps"),
        (caching.main, ["--calls", "0"], "'0' is no whole number from 1 on"),
        (caching.main, ["--prompts", "-3"], "'-3' is no whole number from 2 on"),
        (caching.main, ["--output", __file__], "is a file. Name a folder"),
        (solvers.main, ["--steps", "1"], "'1' is no whole number from 2 on"),
        (solvers.main, ["--refined", "many"], "'many' is no whole number from 2 on"),
        (solvers.main, ["--output", __file__], "is a file. Name a folder"),
    ],
)
def test_what_cannot_run_is_refused_at_once(main, asked, told, capsys):
    with pytest.raises(SystemExit) as refusal:
        main(asked)
    assert refusal.value.code == 2 and told in capsys.readouterr().err
