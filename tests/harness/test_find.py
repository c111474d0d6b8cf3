"""A ComfyUI is found, or cloned; one that is too old, and none at all, are explained."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from cotj.harness import find
from cotj.tests.harness.machines import checkout


@pytest.fixture
def comfyui(tmp_path: Path) -> Path:
    return checkout(tmp_path / "ComfyUI", "0.23.0")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and no path named."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    monkeypatch.setattr(find, "ROOT", tmp_path / "cotj")
    return tmp_path / "home"


def test_host_is_the_one_that_is_named(comfyui: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert find.find_comfyui() == comfyui.resolve()


def test_host_around_the_pack_is_found(comfyui: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(find, "ROOT", comfyui / "custom_nodes" / "any-name")
    assert find.find_comfyui() == comfyui


@pytest.mark.parametrize(
    ("version", "said"),
    [('__version__ = "0.22.9"', "is 0.22.9"), ('__version__ = "0.3.76"', "is 0.3.76"), ("", "unknown")],
)
@pytest.mark.parametrize("place", ["named", "around", "usual"])
def test_a_host_that_is_too_old_is_explained(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, said: str, place: str
):
    comfyui = checkout(home / "comfy" / "ComfyUI" if place == "usual" else tmp_path / "ComfyUI", "1")
    (comfyui / "comfyui_version.py").write_text(version)
    if place == "named":
        monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    elif place == "around":
        monkeypatch.setattr(find, "ROOT", comfyui / "custom_nodes" / "any-name")
    monkeypatch.setattr(find, "_clone", lambda _: pytest.fail("a checkout that is there is not cloned over"))
    with pytest.raises(find.NoHost, match=rf"{said}.*too old.*{find.OLDEST} or newer.*Update it"):
        find.find_or_install_comfyui()


@pytest.mark.parametrize("version", ["0.23.0", "0.33.0", "0.100.0", "1.0.0"])
def test_a_host_that_is_new_enough_is_found(comfyui: Path, monkeypatch: pytest.MonkeyPatch, version: str):
    (comfyui / "comfyui_version.py").write_text(f'__version__ = "{version}"')
    monkeypatch.setenv("COMFYUI_PATH", str(comfyui))
    assert find.find_comfyui() == comfyui


@pytest.mark.parametrize("named", ["/nowhere", None])
def test_missing_host_says_how_to_get_one(named: str | None, monkeypatch: pytest.MonkeyPatch):
    if named:
        monkeypatch.setenv("COMFYUI_PATH", named)
    with pytest.raises(find.NoHost, match=r"(?s)COMFYUI_PATH.*git clone"):
        find.find_comfyui()


def test_a_clone_appears_whole_or_not_at_all(home: Path, monkeypatch: pytest.MonkeyPatch):
    left = home / "comfy" / "ComfyUI.partial" / "left"
    left.parent.mkdir(parents=True)
    left.touch()

    def clone(command: list[str], **_: object) -> SimpleNamespace:
        assert find.VERSION in command[3] and not left.exists()
        checkout(Path(command[-1]), "0.33.0")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(find.subprocess, "run", clone)
    place = find.find_or_install_comfyui()
    assert place == find.find_comfyui() == home / "comfy" / "ComfyUI"
    assert not left.parent.exists()
