"""One real ComfyUI server for the whole session, whose log is held to account at the end."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cotj.harness.client import ComfyClient
from cotj.harness.server import ComfyServer
from cotj.tests.small_models import install_nodes

# From the first line, before which the host puts a level, to the blank one after the message; chained exceptions are
# one traceback.
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\):\n"
    r"(?:(?!\n\n).|\n\n(?=During handling of|The above exception|Traceback \(most))*",
    re.DOTALL,
)


class WatchedServer(ComfyServer):
    """A server that tells the tracebacks that tests asked for from the others in its log."""

    def __init__(self, base: Path, frontend: Path | None = None) -> None:
        super().__init__(base, frontend=frontend)
        self._expected: set[int] = set()

    def tracebacks(self) -> list[str]:
        """Every traceback logged so far."""
        return TRACEBACK.findall(self.log.read_text(errors="replace").replace("\r\n", "\n"))

    @contextmanager
    def expect_traceback(self, text: str) -> Iterator[None]:
        """The block must make the server log a traceback that contains `text`."""
        before = len(self.tracebacks())
        yield
        # The host logs an error before it tells the client, so there is nothing to wait for.
        caused = {i for i, traceback in enumerate(self.tracebacks()) if i >= before and text in traceback}
        assert caused, f"no traceback with {text!r} in the server's log"
        self._expected |= caused

    def unexpected_tracebacks(self) -> list[str]:
        return [traceback for i, traceback in enumerate(self.tracebacks()) if i not in self._expected]


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The server's base directory: custom_nodes, models, input, output, temp and user are in it."""
    folder = tmp_path_factory.mktemp("comfyui")
    install_nodes(folder / "custom_nodes")
    return folder


@pytest.fixture(scope="session")
def server(base: Path) -> Iterator[WatchedServer]:
    with WatchedServer(base) as running:
        yield running
    unexpected = running.unexpected_tracebacks()
    assert not unexpected, "tracebacks in the server's log that no test caused:\n\n" + "\n\n".join(unexpected)


@pytest.fixture
def client(server: WatchedServer) -> Iterator[ComfyClient]:
    """A connection of the test's own."""
    with ComfyClient(server.url) as connection:
        yield connection


@pytest.fixture(scope="session")
def demo_models(server: WatchedServer) -> Path:
    """The demo model's files, where the host's loaders look for them."""
    from cotj.demo.models import install

    install(server.models)
    return server.models


@pytest.fixture
def nothing_learned(server: WatchedServer) -> Path:
    """The folder that profiles are learned into, without those of other tests."""
    folder = server.models / "cotj"
    for path in folder.glob("cache-*"):
        path.unlink()
    return folder


@pytest.fixture
def nothing_stored(server: WatchedServer) -> None:
    """Take away what Optimize Sigmas has stored in other tests; what the pack ships stays."""
    for path in (server.models / "cotj").glob("*.schedules.json"):
        path.unlink()
