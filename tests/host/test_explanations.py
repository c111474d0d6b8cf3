"""No node, input or output without a tooltip, a name in English and Chinese, help in both, and words to find it by."""

import json
import re
import urllib.error
import urllib.request

import pytest
from cotj.demo.locales import FOLDER, listed, node_defs

CHINESE = re.compile(r"[\u4e00-\u9fff]")
LANGUAGES = ("en", "zh")


@pytest.fixture
def ours(client):
    return listed(client.object_info())


def read(language, name="nodeDefs"):
    return json.loads((FOLDER / language / f"{name}.json").read_text(encoding="utf-8"))


def keys(defs):
    """Where a text stands in a locale."""
    if isinstance(defs, dict):
        return {f"{key}.{rest}" for key, value in defs.items() for rest in keys(value)}
    return {"" if defs.strip() else "empty"}


def page(server, path):
    """As the help panel asks for it: the language's page, or else the plain one."""
    with urllib.request.urlopen(f"{server.url}/extensions/comfyui-cotj/docs/{path}") as reply:
        return reply.read().decode()


def test_every_node_is_found_by_more_than_its_name(ours):
    for name, info in ours.items():
        assert len(info["search_aliases"]) >= 2, name
        assert any("CoTj" in alias for alias in [info["display_name"], *info["search_aliases"]]), name
        assert info["display_name"] not in info["search_aliases"], name


def test_every_input_and_output_has_a_tooltip(ours):
    for name, info in ours.items():
        for group in info["input"].values():
            if group is info["input"].get("hidden"):
                continue
            for key, (_, *options) in group.items():
                assert options and options[0].get("tooltip"), (name, key)
                for grown in options[0].get("template", {}).get("input", {}).values():
                    assert all(option["tooltip"] for _, option in grown.values()), (name, key)
        assert len(info["output_tooltips"]) == len(info["output"]) and all(info["output_tooltips"]), name


def test_the_english_texts_are_those_of_the_nodes(ours):
    assert read("en") == node_defs(ours), "run `python demo locales`, then bring the other languages up to it"


def test_the_chinese_texts_are_complete():
    found = read("zh")
    assert keys(found) == keys(read("en"))
    for name, node in found.items():
        texts = [
            node["description"],
            *(part["tooltip"] for kind in ("inputs", "outputs") for part in node.get(kind, {}).values()),
        ]
        assert all(map(CHINESE.search, texts)), name


def test_the_host_serves_both_languages(client):
    served = client._get("/i18n")
    for language in LANGUAGES:
        assert served[language]["nodeDefs"].items() >= read(language).items()
        assert served[language]["cotj"] == read(language, "main")["cotj"]


def test_every_node_has_help_in_both_languages(server, ours):
    missing = []
    for name in ours:
        for path in (f"{name}.md", f"{name}/zh.md"):
            try:
                text = page(server, path)
            except urllib.error.HTTPError:
                missing.append(path)
                continue
            english = path.endswith(f"{name}.md")
            title = read("en" if english else "zh")[name]["display_name"]
            assert text.splitlines()[0].startswith(f"# {title.partition(' (')[0].partition('（')[0]}"), path
            assert len(text) > 100 and bool(CHINESE.search(text)) is not english, path
            names = {key: part["name"] for key, part in read("en")[name].get("inputs", {}).items()}
            unnamed = [key for key, shown in names.items() if key not in text and shown not in text]
            assert unnamed == [], path
            for picture in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text):  # relative to docs
                urllib.request.urlopen(f"{server.url}/extensions/comfyui-cotj/docs/{picture}").close()
    assert not missing


def test_help_exists_for_no_other_node(root, ours):
    pages = {path.stem for path in (root / "web" / "docs").glob("*.md")}
    folders = {path.parent.name for path in (root / "web" / "docs").glob("*/zh.md")}
    assert pages == folders == set(ours)


def test_the_help_of_measure_dna_says_what_a_randomised_seed_does(server):
    assert re.search(
        r"randomi[sz]ed?\b.*every queue|every queue.*randomi[sz]ed?", page(server, "CoTjMeasureDNA.md"), re.S
    )
    assert "fixed" in page(server, "CoTjMeasureDNA.md")
    assert "固定" in page(server, "CoTjMeasureDNA/zh.md")
