"""Ray for all tests of the fleet, once, and servers that speak ComfyUI's routes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cotj.harness import packages
from cotj.harness.environment import add_environment
from cotj.tests.fleet.servers import Fakes

add_environment(packages.ray())  # before the tests are read, which import it


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Ray on this machine, as `python fleet` starts it."""
    import ray
    from cotj.fleet import cluster

    cluster.start(cpus=2)
    yield
    ray.shutdown()


@pytest.fixture
def fakes() -> Iterator[Fakes]:
    with Fakes() as running:
        yield running
