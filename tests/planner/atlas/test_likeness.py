"""How alike DNAs are: cosines of pairs, and their correlation with those of the prompts."""

import numpy as np
import pytest
from cotj.planner.atlas.likeness import cosines, likeness


def test_cosines_are_those_of_the_vectors():
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((5, 7))
    found = cosines(vectors)
    for i in range(5):
        for j in range(5):
            norms = np.linalg.norm(vectors[i]) * np.linalg.norm(vectors[j])
            assert found[i, j] == pytest.approx(vectors[i] @ vectors[j] / norms)
    np.testing.assert_allclose(cosines(3 * vectors), found)
    assert cosines(np.array([[0.0, 0.0], [1.0, 2.0]])).tolist() == [[0, 0], [0, pytest.approx(1)]]


def test_pairs_of_one_prompt_are_left_out():
    errors = np.array([[1.0, 0], [1, 0], [0, 1], [1, 1]])
    found = likeness(errors, errors, np.array(["a", "a", "b", "c"]))
    assert len(found.dnas) == len(found.embeddings) == 5  # of six
    assert len(likeness(errors).dnas) == 6 and likeness(errors).embeddings is None


def test_the_correlation_is_one_where_dnas_follow_from_prompts_and_none_where_nothing_varies():
    rng = np.random.default_rng(2)
    errors = rng.uniform(0, 1, (30, 9))
    prompts = np.arange(30).astype(str)
    assert likeness(errors, 2 * errors, prompts).correlation == pytest.approx(1)
    assert abs(likeness(errors, rng.standard_normal((30, 400)), prompts).correlation) < 0.3
    assert likeness(np.ones((30, 9)), errors, prompts).correlation is None
    assert likeness(errors[:2], errors[:2], prompts[:2]).correlation is None


def test_the_authors_predictors_give_dnas_that_are_alike(oracle, cases):
    """The paper's figure 4 in small: a high cosine between any two DNAs of a model."""
    embeddings = np.load(oracle / "embeddings.npz")
    for model in ("qwenimage", "zimageturbo"):
        own = [case for case in cases if case["model"] == model]
        rows = [case["embedding"] for case in own]
        errors = np.array([case["dna"] for case in own])
        found = likeness(errors, embeddings[model][rows], np.array(rows).astype(str))
        assert len(found.dnas) == len(own) * (len(own) - 1) // 2
        assert np.median(found.dnas) > 0.9
