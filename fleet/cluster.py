"""Ray: on this machine alone, or the cluster that it is a part of; and the workers in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import ray
from ray._private import ray_constants
from ray._private.authentication.authentication_token_setup import generate_and_save_token
from ray._raylet import AuthenticationTokenLoader, Config

from .worker import Place, Worker

STARTS = 5  # of Ray, before it is given up: it waits 15 s for its own processes, and that cannot be set
OBJECT_STORE = 100 << 20  # bytes; what passes through it is smaller
# Ray listens on all of a machine's addresses where it may be a cluster, and on loopback alone where it may not. The
# variable says so to the processes that it starts; this one has read it already.
MAY_BE_CLUSTER = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
# With which a cluster answers only who knows its token. Ray asks for it by itself where it starts, and where it joins
# a cluster at a named address it does not.
WITH_TOKEN = {"RAY_AUTH_MODE": "token"}


def start(address: str = "", cpus: int = 1) -> None:
    """Start Ray on this machine, listening on loopback alone; or join the cluster at an address.

    cpus: that Ray may count on here. Workers at addresses only wait, and take none.
    Raises ValueError where Ray does not start, or the cluster is not to be reached.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    before = {name: os.environ.get(name) for name in (MAY_BE_CLUSTER, "PYTHONPATH")}
    quiet: dict[str, Any] = {"logging_level": "ERROR", "log_to_driver": False}
    if address:
        os.environ |= WITH_TOKEN
        Config.initialize("")  # or it knows the environment as it was when it was imported
        try:
            ray.init(address=address, **quiet)
        except Exception as error:  # of many kinds
            here = "Run python fleet node on this machine too, with the token of the first one"
            raise ValueError(f"the Ray cluster at {address} is not to be reached: {error}. {here}") from None
        return
    os.environ |= {MAY_BE_CLUSTER: "0", "PYTHONPATH": importable()}
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        _init(num_cpus=cpus, object_store_memory=OBJECT_STORE, include_dashboard=False, **quiet)
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _init(**how: Any) -> None:
    """Start Ray, again where its processes did not find one another in time, as on a machine with too much to do.

    Raises ValueError with what it says where it does not start.
    """
    for left in reversed(range(STARTS)):
        try:
            ray.init(address="local", **how)  # and not whatever Ray a person has running
            return
        except Exception as error:  # of many kinds
            ray.shutdown()
            if not left:
                raise ValueError(f"Ray did not start: {error}") from None


def importable() -> str:
    """Give the PYTHONPATH of processes that must find this pack and Ray, in whatever environment they are."""
    return os.pathsep.join(
        [str(Path(__file__).resolve().parent / "path"), str(Path(ray.__file__).resolve().parents[1])]
    )


def headless(count: int, run: str, models: Path | None) -> dict[str, tuple[Place, dict[str, float]]]:
    """Name ComfyUIs to start, with what Ray gives each: a GPU, or a CPU where the cluster has none.

    count: of them; 0 for one a GPU, or one where there is none. run, models: see Place.
    """
    gpus = int(ray.cluster_resources().get("GPU", 0))
    needs = {"num_gpus": 1.0} if gpus else {"num_cpus": 1.0}
    names = [f"headless {number}" for number in range(1, (count or gpus or 1) + 1)]
    return {name: (Place(name, run=run, models=models), needs) for name in names}


def at(addresses: Sequence[str]) -> dict[str, tuple[Place, dict[str, float]]]:
    """Name the ComfyUIs at these addresses, which take nothing of what Ray manages but a byte.

    What needs nothing at all is put on any node, and not spread.
    """
    return {address: (Place(address, url=address), {"num_cpus": 0, "memory": 1}) for address in addresses}


def workers(places: dict[str, tuple[Place, dict[str, float]]], silence: float, owner: str) -> dict[str, Any]:
    """Make an actor for each place, on all machines of a cluster; Ray makes it anew wherever its process dies.

    It has a second thread, in which it can be stopped while it waits for its server.
    """
    how: dict[str, Any] = {"max_restarts": -1, "max_concurrency": 2, "scheduling_strategy": "SPREAD"}
    actor = ray.remote(Worker)
    return {
        name: actor.options(**how, **needs).remote(place, silence, owner) for name, (place, needs) in places.items()
    }


def join(at: str, address: str, port: int) -> NoReturn:
    """Become Ray's process on this machine: a node of the cluster at an address, or, where that is '', its first.

    at: the address of this machine that the others reach it by, the only one that it tells them. port: of a first one,
    which also makes a token where there is none.
    """
    if not (address or AuthenticationTokenLoader.instance().has_token(ignore_auth_mode=True)):
        generate_and_save_token()
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
    command += [f"--node-ip-address={at}", f"--object-store-memory={OBJECT_STORE}"]
    command += [f"--address={address}"] if address else ["--head", f"--port={port}", "--include-dashboard=false"]
    sys.stdout.flush()
    os.execve(sys.executable, command, os.environ | WITH_TOKEN | {"PYTHONPATH": importable()})
