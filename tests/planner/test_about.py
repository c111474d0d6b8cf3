"""What is said of the models and runs that DNAs are of."""

import pytest
from cotj.planner.about import MOST_TOLD, differences_among, distinct_runs, is_predicted

ONE = {
    "model": "SD3",
    "checkpoint": "a",
    "guidance": {"cfg": 1.0, "functions": []},
    "latent_shape": [[1, 16, 8, 8]],
    "reference": {"sampler": "euler", "steps": 50, "sigmas": [1.0, 0.0]},
}


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (
            {"guidance": {"cfg": 7.0, "functions": []}},
            "The guidance is not the same for all: cfg 1, functions none / cfg 7",
        ),
        ({"checkpoint": "b"}, "The checkpoint (or its precision) is not the same for all."),
        ({"latent_shape": [[2, 16, 8, 12]]}, "The size of the latent is not the same for all: 8x8 / 8x12."),
        ({"reference": {"steps": 20}}, "The number of steps of the long run is not the same for all: 50 / 20."),
        ({"predictor": {"model": "SD3"}}, "1 of 2 DNAs are predicted, and the others measured."),
    ],
)
def test_each_difference_is_named_also_among_sources(other, said):
    for second in (ONE | other, {"sources": [ONE | other]}):
        [found] = differences_among([ONE, second])
        assert found.startswith(said)


def test_nothing_is_said_of_what_is_alike_or_not_told():
    batch = ONE | {"latent_shape": [[4, 16, 8, 8]], "seed": 3}
    assert list(differences_among([ONE, batch, {}, {"sources": [ONE, ONE]}])) == []


def test_a_mean_with_a_predicted_source_is_predicted():
    assert is_predicted({"sources": [ONE, {"predictor": {}}]}) and not is_predicted({"sources": [ONE, ONE]})


def test_of_many_runs_what_tells_them_apart_is_kept_once():
    batch = ONE | {"latent_shape": [[4, 16, 8, 8]], "seed": 3}
    wide = ONE | {"latent_shape": [[1, 16, 8, 12]]}
    told = {name: ONE[name] for name in ("model", "checkpoint", "guidance")}
    assert distinct_runs([ONE, batch, {"sources": [wide]}, {}]) == [
        told | {"latent_shape": [[1, 16, 8, 8]]},
        told | {"latent_shape": [[1, 16, 8, 12]]},
    ]


def test_of_too_much_that_tells_runs_apart_what_all_share_is_kept():
    runs = [ONE | {"weight_patches": f"{number} {'x' * (MOST_TOLD // 4)}"} for number in range(5)]
    [shared] = distinct_runs(runs)
    assert shared == {name: ONE[name] for name in ("model", "checkpoint", "guidance", "latent_shape")}
    assert distinct_runs([{"model": "x" * MOST_TOLD}]) == []
