"""The environment is made once, whole or not at all; the pack loads under its own name; a missing host is explained."""

import sys
from pathlib import Path

import bootstrap
import pytest
from cotj.demo.host import find


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    """What looks like a ComfyUI checkout, and needs no packages."""
    folder = tmp_path / "ComfyUI"
    (folder / "comfy").mkdir(parents=True)
    for name in ("main.py", "requirements.txt", "comfy/cli_args.py"):
        (folder / name).touch()
    (folder / "comfyui_version.py").write_text('__version__ = "0.23.0"\n')
    return folder


@pytest.fixture
def entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The Pythons that would have been started, in a cache of the test's own and without the large packages."""
    pythons: list[Path] = []
    monkeypatch.setenv("COTJ_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(bootstrap, "TORCH", [])
    monkeypatch.setattr(bootstrap, "TOOLS", [])
    monkeypatch.setattr(bootstrap, "_restart", pythons.append)
    return pythons


def test_environment_is_made_once_and_an_interrupted_attempt_started_over(
    comfyui: Path, entered: list[Path], capsys: pytest.CaptureFixture[str]
):
    bootstrap.enter_environment(comfyui)
    assert entered[0].exists()
    assert "packages" in capsys.readouterr().out
    bootstrap.enter_environment(comfyui)
    assert entered[1] == entered[0]
    assert capsys.readouterr().out == ""

    environment = entered[0].parent.parent
    (environment / "ready").unlink()
    (environment / "half").touch()
    bootstrap.enter_environment(comfyui)
    assert (environment / "ready").exists()
    assert not (environment / "half").exists()


def test_other_requirements_make_another_environment(
    comfyui: Path, entered: list[Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bootstrap, "_make", lambda *_: None)
    bootstrap.enter_environment(comfyui)
    (comfyui / "requirements.txt").write_text("einops")
    bootstrap.enter_environment(comfyui)
    assert entered[0] != entered[1]


def test_failed_install_shows_why(comfyui: Path, entered: list[Path]):
    (comfyui / "requirements.txt").write_text("./no-such-package.whl")
    with pytest.raises(SystemExit, match=r"(?s)no-such-package.*failed at: packages.*env-\w+\.log"):
        bootstrap.enter_environment(comfyui)
    assert not entered


def test_pack_is_one_package_whatever_its_folder_is_called(root: Path):
    import cotj

    assert Path(cotj.__file__) == root / "__init__.py"
    assert str(root) not in sys.path


def test_host_is_the_one_that_is_named(comfyui: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert find.find_comfyui() == comfyui.resolve()


def test_host_around_the_pack_is_found(comfyui: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(find, "ROOT", comfyui / "custom_nodes" / "any-name")
    assert find.find_comfyui() == comfyui


@pytest.mark.parametrize(
    ("version", "said"),
    [('__version__ = "0.22.9"', "is 0.22.9"), ('__version__ = "0.3.76"', "is 0.3.76"), ("", "unknown")],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_host_that_is_too_old_is_explained(
    comfyui: Path, monkeypatch: pytest.MonkeyPatch, version: str, said: str, named: bool
):
    (comfyui / "comfyui_version.py").write_text(version)
    monkeypatch.setattr(find, "ROOT", comfyui / "custom_nodes" / "any-name")
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui)) if named else monkeypatch.delenv("COMFYUI_PATH", raising=False)
    with pytest.raises(find.NoHost, match=rf"needs ComfyUI {find.OLDEST} or newer.*{said}.*Update it"):
        find.find_comfyui()


@pytest.mark.parametrize("version", ["0.23.0", "0.33.0", "0.100.0", "1.0.0"])
def test_a_host_that_is_new_enough_is_found(comfyui: Path, monkeypatch: pytest.MonkeyPatch, version: str):
    (comfyui / "comfyui_version.py").write_text(f'__version__ = "{version}"')
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert find.find_comfyui() == comfyui


@pytest.mark.parametrize("named", ["/nowhere", None])
def test_missing_host_says_how_to_get_one(named: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(find, "DEFAULT", tmp_path)
    monkeypatch.setattr(find, "ROOT", tmp_path / "cotj")
    monkeypatch.setenv("COMFYUI_PATH", named) if named else monkeypatch.delenv("COMFYUI_PATH", raising=False)
    with pytest.raises(find.NoHost, match=r"(?s)COMFYUI_PATH.*git clone"):
        find.find_comfyui()
