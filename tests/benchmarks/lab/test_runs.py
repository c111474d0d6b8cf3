"""What the benchmarks keep of runs."""

import numpy as np
from cotj.benchmarks.lab.runs import MEASURES, widened


def test_figures_that_were_kept_before_a_measure_was_added_lack_it_alone():
    kept = np.arange(6.0)  # of two references, with three measures each
    found = widened(kept, 2)
    assert found.shape == (2, len(MEASURES))
    np.testing.assert_array_equal(found[:, :3], [[0, 1, 2], [3, 4, 5]])
    assert np.isnan(found[:, 3:]).all()
    whole = np.arange(2.0 * len(MEASURES))
    np.testing.assert_array_equal(widened(whole, 2).ravel(), whole)
