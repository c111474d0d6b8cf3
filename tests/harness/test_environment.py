"""An environment is made once, goes on where it was interrupted, and says what it costs; the pack has one name."""

from pathlib import Path

import environment
import pytest
from cotj.harness import build, packages
from cotj.harness.packages import Environment
from cotj.tests.harness.machines import checkout


@pytest.fixture
def nothing(tmp_path: Path) -> list[str]:
    """Arguments with which pip installs no package."""
    (tmp_path / "empty.txt").touch()
    return [f"--requirement={tmp_path / 'empty.txt'}"]


def of_steps(**steps: list[list[str]]) -> Environment:
    return Environment("test", "A minute and a megabyte.", "key", steps)


def test_environment_is_made_once_and_states_its_cost(
    tmp_path: Path, nothing: list[str], capsys: pytest.CaptureFixture[str]
):
    wanted, folder = of_steps(packages=[nothing]), tmp_path / "cache" / "env"
    build.make(wanted, folder)
    printed = capsys.readouterr().out.splitlines()
    assert str(folder) in printed[0] and printed[1] == "A minute and a megabyte."
    assert printed[-1].startswith("  packages (2 of 2): ")
    assert build.python_of(folder).exists()
    build.make(wanted, folder)
    assert capsys.readouterr().out == ""


def test_interrupted_attempt_goes_on_after_its_last_step(
    tmp_path: Path, nothing: list[str], capsys: pytest.CaptureFixture[str]
):
    folder = tmp_path / "env"
    with pytest.raises(SystemExit, match=r"(?s)no-such-package.*failed at: second.*env\.log"):
        build.make(of_steps(first=[nothing], second=[["./no-such-package.whl"]]), folder)
    assert not (folder / "ready").exists()
    (folder / "kept").touch()
    (site,) = folder.glob("[Ll]ib/**/site-packages")
    half, whole = (site / f"{name}-1.dist-info" for name in ("half", "whole"))
    half.mkdir()
    whole.mkdir()
    (whole / "RECORD").touch()
    capsys.readouterr()
    build.make(of_steps(first=[["./not-asked-for.whl"]], second=[nothing]), folder)
    printed = capsys.readouterr().out
    assert printed.startswith("Going on") and "second (3 of 3)" in printed and "first" not in printed
    assert (folder / "ready").exists() and (folder / "kept").exists()
    assert whole.exists() and not half.exists()


def test_ctrl_c_is_no_crash(tmp_path: Path, nothing: list[str], monkeypatch: pytest.MonkeyPatch):
    def pressed(command: list[str], log: Path) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(SystemExit, match="The same command goes on from here"):
        patched.setattr(build, "_run", pressed)
        build.make(of_steps(packages=[nothing]), tmp_path / "env")
    build.make(of_steps(packages=[nothing]), tmp_path / "env")
    assert (tmp_path / "env" / "ready").exists()


def test_attempt_without_a_whole_first_step_is_started_over(tmp_path: Path, nothing: list[str]):
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "half").touch()
    build.make(of_steps(packages=[nothing]), folder)
    assert (folder / "ready").exists() and not (folder / "half").exists()


def test_another_way_is_tried_where_one_is_out_of_reach(
    tmp_path: Path, nothing: list[str], capsys: pytest.CaptureFixture[str]
):
    build.make(of_steps(PyTorch=[["./out-of-reach.whl"], nothing]), tmp_path / "env")
    assert "another way is tried" in capsys.readouterr().out
    assert (tmp_path / "env" / "ready").exists()


@pytest.fixture
def entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The Pythons that would have been started, in a cache of the test's own; nothing is installed."""
    pythons: list[Path] = []
    monkeypatch.setenv("COTJ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(environment.WITHOUT_HOST, "")
    monkeypatch.setattr(build, "_make", lambda *_: None)
    monkeypatch.setattr(environment, "_restart", pythons.append)
    return pythons


def test_other_requirements_make_another_environment(tmp_path: Path, entered: list[Path]):
    comfyui = checkout(tmp_path / "ComfyUI", "0.33.0")
    environment.enter_environment(comfyui)
    environment.enter_environment(comfyui)
    (comfyui / "requirements.txt").write_text("einops")
    environment.enter_environment(comfyui)
    assert entered[0] == entered[1] != entered[2]


def test_small_environment_is_another_and_the_reason_goes_with_it(
    tmp_path: Path, entered: list[Path], monkeypatch: pytest.MonkeyPatch
):
    comfyui = checkout(tmp_path / "ComfyUI", "0.33.0")
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert environment.enter_any_environment() == ""
    assert environment.enter_any_environment("asked for") == "asked for"
    assert environment.enter_any_environment() == "asked for", "the restarted program looks for no ComfyUI"
    assert entered[0] != entered[1] == entered[2]


def test_a_wrong_path_is_an_error_not_a_reason_to_do_without(entered: list[Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COMFYUI_PATH", "/nowhere")
    with pytest.raises(SystemExit, match="COMFYUI_PATH is /nowhere"):
        environment.enter_any_environment()
    assert not entered


def test_small_environment_has_no_package_of_the_host(tmp_path: Path):
    small = [argument for ways in packages.without_host().steps.values() for way in ways for argument in way]
    assert not {"transformers", "playwright", "torchvision"} & set(small)
    assert "GB" in packages.without_host().cost and "GB" in packages.for_host(checkout(tmp_path / "c", "1.0")).cost


def test_pack_is_one_package_whatever_its_folder_is_called(root: Path):
    import sys

    import cotj

    assert Path(cotj.__file__) == root / "__init__.py"
    assert str(root) not in sys.path
