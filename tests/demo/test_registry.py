"""`python demo registry` sets one address everywhere: in pyproject.toml, and in the links of the README."""

import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from cotj.demo import registry

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # comes with pytest on Python 3.10

RAW, BLOB = "https://raw.githubusercontent.com/me/cotj/main/", "https://github.com/me/cotj/blob/main/"


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(root / name, tmp_path)
    return tmp_path


def settings(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("before", [None, "https://github.com/other/name"])
def test_every_link_is_a_whole_address_of_a_file_that_is_there(root: Path, copy: Path, before: str | None):
    for url in filter(None, [before, "https://github.com/me/cotj.git"]):
        registry.main([url, "--publisher", "me"], copy)
    text = (copy / "README.md").read_text(encoding="utf-8")
    targets = [found[2].partition("#")[0] for found in registry.LINK.finditer(text)]
    ours = [target for target in targets if "me/cotj" in target]
    assert any(target.startswith(RAW) for target in ours) and any(target.startswith(BLOB) for target in ours)
    assert [target for target in ours if not (root / re.sub(f"^({RAW}|{BLOB})", "", target)).is_file()] == []
    assert [target for target in targets if not target.startswith("https://") or "other/name" in target] == []
    urls, comfy = settings(copy)["project"]["urls"], settings(copy)["tool"]["comfy"]
    assert urls["Repository"] == "https://github.com/me/cotj" and "Paper" in urls and "Bug Tracker" in urls
    assert comfy["PublisherId"] == "me" and comfy["DisplayName"] == settings(root)["tool"]["comfy"]["DisplayName"]
    assert all((root / comfy[name].removeprefix(RAW)).is_file() for name in ("Icon", "Banner"))


def test_nothing_else_changes(root: Path, copy: Path):
    registry.main(["https://github.com/me/cotj", "--publisher", "me"], copy)
    once = (copy / "pyproject.toml").read_text()
    registry.main(["https://github.com/me/cotj", "--publisher", "me"], copy)
    assert (copy / "pyproject.toml").read_text() == once
    kept = [line for line in (root / "pyproject.toml").read_text().splitlines() if "PublisherId" not in line]
    assert set(kept) <= set(once.splitlines())


@pytest.mark.parametrize("url", ["me/cotj", "https://example.com/me/cotj", "https://github.com/me"])
def test_another_address_is_refused(copy: Path, url: str, capsys):
    with pytest.raises(SystemExit):
        registry.main([url, "--publisher", "me"], copy)
    assert "https://github.com/OWNER/NAME" in capsys.readouterr().err
    assert "me/cotj" not in (copy / "pyproject.toml").read_text()


@pytest.mark.parametrize(("name", "ratio", "most"), [("icon", 1, 400), ("banner", 21 / 9, None)])
def test_pictures_have_the_registrys_shape(root: Path, name: str, ratio: float, most: int | None):
    picture = ElementTree.parse(root / "docs" / "registry" / f"{name}.svg").getroot()
    width, height = (int(picture.get(side)) for side in ("width", "height"))
    assert width / height == pytest.approx(ratio) and (most is None or width <= most)
