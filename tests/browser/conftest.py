"""A real Chromium in front of a real ComfyUI, once in each of the frontend's two renderers."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from cotj.demo.models import install
from cotj.harness.frontends import frontend as frontend_folder
from cotj.planner import DiffusionDNA, TimeShift, dna_file
from cotj.tests.browser.canvas import Canvas, told
from cotj.tests.host.conftest import WatchedServer, nothing_learned  # noqa: F401 - a fixture
from playwright.sync_api import Browser, Error, sync_playwright

OUTPUT = Path(__file__).parent / "output"
BY_SCORE = Path(__file__).parents[1] / "formats" / "cotj-scores-1-found.scores.json"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SIZE = {"width": 1600, "height": 1000}

TIMES = np.arange(1, 41) / 40
DNAS = {
    "first": DiffusionDNA(TIMES.astype(np.float32), 0.01 + TIMES**3, shift=TimeShift("static", 3.0)),
    "second": DiffusionDNA(TIMES.astype(np.float32), 0.002 + TIMES**1.5, shift=TimeShift("static", 3.0)),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A page on a busy machine may answer late. What fails here runs once more, and pytest's last line counts that."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in sorted(told):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        options = {"args": ["--no-sandbox", "--disable-gpu"]}  # a container's root has no sandbox
        found = os.environ.get("COTJ_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
        if found is None:
            # Not skipped where this fails: half of what a person sees would go untested, and nobody would know.
            subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)
        try:
            browser = playwright.chromium.launch(executable_path=found, **options)
        except Error as error:
            pytest.fail(f"No Chromium to test in: set COTJ_CHROMIUM to one, or install chromium. {error}")
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[WatchedServer]:
    named = pytestconfig.getoption("frontend")
    base = tmp_path_factory.mktemp("browser")
    settings = base / "user" / "default" / "comfy.settings.json"
    settings.parent.mkdir(parents=True)
    settings.write_text(json.dumps({"Comfy.TutorialCompleted": True}))  # or the templates open by themselves
    with WatchedServer(base, frontend_folder(named) if named else None) as running:
        install(running.models)
        for name, dna in DNAS.items():
            dna_file.write(running.models / "cotj", name, dna)
        shutil.copy(BY_SCORE, running.models / "cotj")
        yield running
    assert not running.unexpected_tracebacks()


@pytest.fixture(scope="session", params=["classic", "nodes 2.0"])
def frontend(request, browser: Browser, server: WatchedServer) -> Iterator[Canvas]:
    """A page in one renderer, for all tests that may share it."""
    page = browser.new_page(viewport=SIZE)
    page.set_default_timeout(90_000)
    canvas = Canvas(page, server.url, vue=request.param == "nodes 2.0")
    told.add(f"The browser tests ran on {canvas.versions}.")
    yield canvas
    page.close()


@pytest.fixture
def canvas(request, frontend: Canvas) -> Iterator[Canvas]:
    """That page for one test, which fails for whatever the browser's console reports as an error."""
    frontend.errors.clear()
    frontend.queued = 0
    yield frontend
    name = request.node.name.replace("[", "-").replace("]", "").replace(" ", "-")
    frontend.screenshot(OUTPUT / f"{name}.png")
    assert not frontend.errors
