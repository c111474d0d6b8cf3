"""Both commands on a machine that has nothing: no ComfyUI, no git, no package; and `python demo install` alone."""

from pathlib import Path

import pytest
from cotj.demo.install import AFTERWARDS
from cotj.demo.models import PLACES, WEIGHTS
from cotj.tests.harness.machines import Machine, checkout

QUICK = "tests/planner/test_timeshift.py"
UNREACHABLE = "fatal: unable to access: Could not resolve host: github.com"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def prepared(machine: Machine) -> Machine:
    """A machine whose small environment is made already: downloading a gigabyte is not for a test."""
    machine.add_small_environment()
    return machine


def test_install_needs_nothing_but_python(machine: Machine):
    assert machine.run("-c", "import torch").returncode != 0
    models = machine.home / "models"
    models.mkdir()
    done = machine.run("demo", "install", str(models))
    assert done.returncode == 0, done.stdout
    assert AFTERWARDS in done.stdout
    found = {path.relative_to(models).as_posix() for path in models.rglob("*") if path.is_file()}
    assert found == {f"{folder}/{name}" for name, folder in PLACES.items()}
    assert (models / PLACES[WEIGHTS.name] / WEIGHTS.name).read_bytes() == WEIGHTS.read_bytes()
    assert not machine.cache.exists()


def test_install_says_which_folder_it_wants(machine: Machine):
    done = machine.run("demo", "install", str(machine.home / "missing"))
    assert done.returncode == 2 and "diffusion_models" in done.stdout


def test_install_goes_into_no_comfyui_itself(machine: Machine):
    (machine.home / "models").mkdir()
    done = machine.run("demo", "install", str(machine.home))
    assert done.returncode == 2 and f"Name {machine.home / 'models'}." in done.stdout
    assert list(machine.home.rglob("*")) == [machine.home / "models"]


def test_install_says_why_it_cannot_write(machine: Machine):
    (machine.home / "diffusion_models").touch()
    done = machine.run("demo", "install", str(machine.home))
    assert done.returncode == 1 and "could not be copied" in done.stdout and "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--help"], 0, "demo install MODELS"),
        (["--embeded"], 2, "unrecognized arguments: --embeded"),
        (["instal"], 2, "unrecognized arguments: instal"),
        (["--port", "many"], 2, "invalid int value"),
        (["--embedded", "--output", "README.md"], 2, "Name a folder"),
    ],
)
def test_the_demo_reads_its_options_before_it_makes_anything(machine: Machine, arguments, status, told):
    machine.add_failing_git(UNREACHABLE)
    done = machine.run("demo", *arguments)
    assert done.returncode == status and told in done.stdout, done.stdout
    assert not machine.cache.exists() and not (machine.programs / "called").exists()


def test_serving_without_a_host_makes_no_environment(machine: Machine):
    machine.add_failing_git(UNREACHABLE)
    done = machine.run("demo", "--serve")
    assert done.returncode == 1 and UNREACHABLE in done.stdout and "COMFYUI_PATH" in done.stdout
    assert not machine.cache.exists()


@pytest.mark.parametrize(
    ("git", "why"), [(False, "there is no git"), (True, "cloning one failed: fatal: unable to access")]
)
def test_tests_run_without_a_host_and_say_what_did_not(prepared: Machine, git: bool, why: str):
    if git:
        prepared.add_failing_git(UNREACHABLE)
    done = prepared.run("tests", "-q", "tests/host", "tests/nodes/host/test_model.py", QUICK)
    assert done.returncode == 0, done.stdout
    last = done.stdout[done.stdout.index("DID NOT RUN") :]
    assert why in last and "tests/host: " in last and "tests/nodes/host: 1 file" in last
    assert "COMFYUI_PATH" in last and "git clone" in last and "--require-host" in last
    assert "planner: " in done.stdout and " 0 failed" in done.stdout


def test_a_failure_without_a_host_is_a_failure(prepared: Machine):
    assert prepared.run("tests", "-q", QUICK, "-k", "no such test").returncode != 0


def test_require_host_fails_before_any_test(prepared: Machine):
    done = prepared.run("tests", "--require-host", "-q", QUICK)
    assert done.returncode not in (0, None)
    assert "there is no git" in done.stdout and "COMFYUI_PATH" in done.stdout
    assert "passed" not in done.stdout


def test_continuous_integration_requires_the_host(root: Path):
    assert 'tests --require-host "$@"' in (root / ".ci" / "run").read_text()


def test_an_old_checkout_is_said_to_be_old_and_left_alone(prepared: Machine):
    prepared.add_failing_git(UNREACHABLE)
    place = checkout(prepared.home / "comfy" / "ComfyUI", "0.22.9")
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    for arguments in (("tests", "-q", QUICK, "tests/host"), ("tests", "--require-host"), ("demo", "--serve")):
        done = prepared.run(*arguments)
        assert "is 0.22.9: too old" in done.stdout
        assert "No ComfyUI was found" not in done.stdout
        assert (done.returncode == 0) == (arguments[1] == "-q")
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert not (prepared.programs / "called").exists(), "git was asked to clone over it"


def test_a_folder_in_the_way_is_left_alone(prepared: Machine):
    kept = prepared.home / "comfy" / "ComfyUI" / "notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    done = prepared.run("demo", "--serve")
    assert done.returncode == 1 and "is no ComfyUI checkout but is not empty" in done.stdout
    assert kept.read_text() == "mine"


@pytest.mark.timeout(1200)  # the whole demo: a minute where nothing else runs
def test_demo_runs_embedded_where_no_host_can_be_had(prepared: Machine, tmp_path: Path):
    prepared.add_failing_git(UNREACHABLE)
    done = prepared.run("demo", "--output", str(tmp_path / "pictures"))
    assert done.returncode == 0, done.stdout
    assert UNREACHABLE in done.stdout and "PyTorch alone" in done.stdout and "git clone" in done.stdout
    assert done.stdout.count("adaptive length, ") == 2
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "sheet.png",
        "heatmap-easy.png",
        "heatmap-hard.png",
    }


def test_embedded_is_asked_for(prepared: Machine):
    prepared.add_failing_git(UNREACHABLE)
    done = prepared.run("demo", "--embedded", "--serve")
    assert done.returncode == 2 and "Choose one" in done.stdout
    assert not (prepared.programs / "called").exists(), "a ComfyUI was sought all the same"
