"""Which language is spoken: that of the page that asks, that in the user's settings, or English."""

import json

import pytest
from cotj.harness.host_modules import import_host

import_host()

import folder_paths  # noqa: E402
from comfy.cli_args import args  # noqa: E402
from cotj.nodes.host.languages import Languages, texts_for  # noqa: E402
from cotj.planner.texts import say, say_name, spoken  # noqa: E402


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Writes the user's settings."""
    monkeypatch.setattr(folder_paths, "get_user_directory", lambda: str(tmp_path))

    def write(content):
        (tmp_path / "default").mkdir(exist_ok=True)
        (tmp_path / "default" / "comfy.settings.json").write_text(content)

    return write


def said(texts):
    with spoken(texts):
        return say("the model's own schedule")


ENGLISH, CHINESE = "the model's own schedule", "模型自身的调度"


@pytest.mark.parametrize("accepted", ["zh", "zh-CN", "zh-TW,zh;q=0.9,en;q=0.8", " ZH"])
def test_chinese_is_spoken_to_pages_that_ask_for_it(accepted):
    assert said(texts_for(accepted)) == CHINESE


@pytest.mark.parametrize("accepted", ["", "en", "en-US,zh;q=0.5", "fr", "*", "../zh", "zhx"])
def test_english_is_spoken_to_all_others(accepted):
    assert said(texts_for(accepted)) == ENGLISH


def test_nodes_and_their_inputs_are_called_as_the_host_calls_them():
    with spoken(texts_for("zh")):
        assert say_name("Plan CoTj Sigmas") == "规划 CoTj Sigmas"
        assert say_name("steps", of="Plan CoTj Sigmas") == "步数"
        assert say_name("steps", of="Cache Steps") == "步骤"
        assert say_name("Apply CoTj Plan to Model") == "将 CoTj 规划应用到模型"
    with spoken(texts_for("en")):
        assert say_name("steps", of="Plan CoTj Sigmas") == "steps"


def test_settings_that_are_too_long_choose_no_language(choose):
    choose(json.dumps({"Comfy.Locale": "zh", "other": " " * (2 << 20)}))
    assert said(Languages().of_user()) == ENGLISH


def test_a_user_has_the_language_of_the_settings_as_they_are_now(choose):
    languages = Languages()
    assert said(languages.of_user()) == ENGLISH
    for language, expected in (("zh", CHINESE), ("en-US", ENGLISH), ("zh-TW", CHINESE)):
        choose(json.dumps({"Comfy.Locale": language}))
        assert said(languages.of_user()) == expected


@pytest.mark.parametrize("settings", ["{}", "", "[]", '{"Comfy.Locale": null}'])
def test_without_a_choice_it_is_that_of_the_page_that_asked_last(choose, settings):
    choose(settings)
    languages = Languages()
    assert said(languages.of_user()) == ENGLISH
    languages.of_page("zh-CN")
    assert said(languages.of_user()) == CHINESE


def test_a_choice_counts_more_than_the_page(choose):
    choose('{"Comfy.Locale": "en"}')
    languages = Languages()
    assert said(languages.of_page("zh")) == CHINESE
    assert said(languages.of_user()) == ENGLISH


def test_of_several_users_nobody_knows_whose_prompt_it_is(choose, monkeypatch):
    choose('{"Comfy.Locale": "zh"}')
    monkeypatch.setattr(args, "multi_user", True)
    languages = Languages()
    languages.of_page("zh")
    assert said(languages.of_user()) == ENGLISH
