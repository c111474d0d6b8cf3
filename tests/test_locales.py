"""The texts of widgets and nodes are in every locale: those that the code says, no others, with the same values."""

import json
import re

import pytest
from cotj.demo import locales
from cotj.demo.said import in_module, in_script

CHINESE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")  # signs, and the full stops and commas with them
KINDS = ("widgets", "nodes")
SAME = {"HaarPSI", "LPIPS", "LoRAs", "PSNR dB", "SSIM"}  # which are called so in Chinese too


def texts(language, kind):
    name = {"widgets": "main.json", "nodes": "texts.json"}[kind]
    found = json.loads((locales.FOLDER / language / name).read_text(encoding="utf-8"))
    return found["cotj"]["widget"] if kind == "widgets" else found


def values(text):
    """The values of a text, with the way in which each is written."""
    return set(re.findall(r"\{[^}]*\}", text))


def test_the_english_texts_are_those_of_the_code():
    said = {"widgets": locales.words()["cotj"]["widget"], "nodes": locales.texts()}
    for kind in KINDS:
        assert texts("en", kind) == said[kind], "run `python demo locales`, then bring the other languages up to it"


@pytest.mark.parametrize("kind", KINDS)
def test_the_chinese_texts_are_complete(kind):
    assert set(texts("zh", kind)) == set(texts("en", kind))
    assert len(texts("zh", kind)) > 80


@pytest.mark.parametrize("kind", KINDS)
def test_the_chinese_texts_have_the_same_values(kind):
    assert {text: own for text, own in texts("zh", kind).items() if values(own) != values(text)} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_the_chinese_texts_are_chinese(kind):
    worded = {text: own for text, own in texts("zh", kind).items() if re.search(r"\w", re.sub(r"\{[^}]*\}", "", text))}
    assert {text for text, own in worded.items() if not CHINESE.search(own)} - SAME == set()


@pytest.mark.parametrize(
    ("find", "source", "found"),
    [
        (in_script, 'say("one")', ["one"]),
        (
            in_script,
            'say(\n  "in " +\n    "two lines",\n), say("{n} \\"more\\"", { n })',
            ["in two lines", '{n} "more"'],
        ),
        (in_script, "export function say(text) {}", []),
        (in_script, 'essay("no text")', []),
        (in_module, 'say("in " "parts", a=1)', ["in parts"]),
        (in_module, 'ONE = "named"\nsay(ONE)', ["named"]),
        (in_module, 'say_count(n, "1 step", "{number} steps")', ["1 step", "{number} steps"]),
        (in_module, 'TABLE = {1: "one", 2: "two"}\nsay(TABLE[n])', ["one", "two"]),
        (in_module, 'print("no text")', []),
    ],
)
def test_what_is_said_is_found(find, source, found):
    assert list(find(source)) == found


@pytest.mark.parametrize(
    ("find", "source"),
    [
        (in_script, "say(text)"),
        (in_script, "say(`text`)"),
        (in_module, "say(text)"),
        (in_module, 'say(f"{text}")'),
        (in_module, 'say_count(n, "1 step", steps)'),
    ],
)
def test_a_text_that_is_not_written_out_is_refused(find, source):
    with pytest.raises(ValueError, match="say"):
        list(find(source))
