"""Texts are said in the language that is wanted, and in English where that has none."""

from threading import Thread

import pytest
from cotj.planner import texts
from cotj.planner.texts import name_key, say, say_count, say_name, speak, spoken

CHINESE = {"{number} steps": "{number} 步", "1 step": "一步", "{share:.1%} of {what}": "{what}的 {share:.1%}"}


@pytest.fixture
def usual():
    """Chinese as the usual language."""
    before = texts._usual[0]
    speak(lambda: CHINESE)
    yield
    speak(before)


def test_without_another_language_they_are_english():
    assert say("{share:.1%} of {what}", share=0.5, what="all") == "50.0% of all"
    assert (say_count(1, "1 step", "{number} steps"), say_count(3, "1 step", "{number} steps")) == ("1 step", "3 steps")


def test_a_language_puts_the_values_where_it_wants_them():
    with spoken(CHINESE):
        assert say("{share:.1%} of {what}", share=0.5, what="all") == "all的 50.0%"
        assert [say_count(number, "1 step", "{number} steps") for number in (1, 3)] == ["一步", "3 步"]
        assert say("not translated, {why}", why="yet") == "not translated, yet"
    assert say("1 step") == "1 step"


def test_nodes_and_inputs_have_the_names_that_the_host_shows():
    names = {name_key("Load DNA"): "加载 DNA", name_key("name", of="Load DNA"): "名称"}
    with spoken(names):
        assert (say_name("Load DNA"), say_name("name", of="Load DNA")) == ("加载 DNA", "名称")
        assert (say_name("Save DNA"), say_name("name", of="Save DNA")) == ("Save DNA", "name")
    assert (say_name("Load DNA"), say_name("name", of="Load DNA")) == ("Load DNA", "name")


def test_braces_in_a_value_are_left_alone():
    assert say("{found}.", found="{other}") == "{other}."


def test_the_usual_language_is_spoken_in_every_thread(usual):
    said = []
    thread = Thread(target=lambda: said.append(say("1 step")))
    thread.start()
    thread.join()
    assert said == ["一步"]


def test_english_can_be_wanted_where_another_language_is_usual(usual):
    with spoken({}):
        assert say("1 step") == "1 step"
    assert say("1 step") == "一步"
