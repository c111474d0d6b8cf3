import pytest
from cotj.planner import CoTj, DiffusionDNA, Plan, plan_fixed


def test_arrays_are_read_only():
    plan = plan_fixed(DiffusionDNA([0.25, 0.5, 1.0], [1, 2, 3]), 3)
    for array in (plan.sigmas, plan.path, plan.curve):
        assert not array.flags.writeable


@pytest.mark.parametrize(
    ("sigmas", "path", "steps", "message"),
    [
        ([1, 0], [1], 2, "no plan of 2 steps"),
        ([1, 0.5, 0], [1], 2, "no plan of 2 steps"),
        ([1, 1, 0], [1, 0], 2, "descend strictly"),
        ([1, 0.5, 0.1], [1, 0], 2, "descend strictly"),
        ([0], [], 0, "no plan of 0 steps"),
    ],
)
def test_refuses_what_does_not_fit_together(sigmas, path, steps, message):
    dna = DiffusionDNA([0.5, 1.0], [1, 2])
    with pytest.raises(ValueError, match=message):
        Plan(dna, CoTj().graph(dna), sigmas, path, 0.0, 1.0, steps, CoTj(), curve=[], begin=1.0)
