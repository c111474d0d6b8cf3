"""The widgets in a real browser speak the language of the page."""

import re

import pytest
from cotj.tests.browser.canvas import Canvas
from cotj.tests.browser.conftest import SIZE
from cotj.tests.host.workflows import Graph, plan

CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture
def chinese(browser, frontend):
    """A page of a browser whose language is Chinese, in the renderer of the other pages."""
    page = browser.new_page(viewport=SIZE, locale="zh-CN")
    canvas = Canvas(page, frontend.url, frontend.vue)
    yield canvas
    page.close()
    assert not canvas.errors


def test_in_a_chinese_page_they_speak_chinese(chinese):
    graph = Graph()
    dna = graph.add("CoTjLoadDNA", name="first")
    named = plan(graph, dna[0], steps=6)
    unnamed = plan(graph, graph.add("CoTjSaveDNA", dna=dna[0], name="passed on", overwrite=True)[0])
    chinese.build(graph.nodes)
    state = chinese.widget(unnamed.id)
    assert (state["state"], state["title"]) == ("empty", "还没有规划")
    assert "此后它跟随每个滑块" in state["detail"]
    state = chinese.wait(named.id, lambda state: state["title"].startswith("6 步，预测误差比模型自身的调度低 "))
    assert state["state"] == "live" and state["detail"].startswith("规划器 cotj。在本节点包的基准测试中")
    assert re.fullmatch(r"\d+ 步：增益的 [\d.]+ %", chinese.point(named.id, 0.5, 0.9))
    assert re.match(r"(第 \d+ 步：)?sigma [\d.]+，误差 ", chinese.point(named.id, 0.5, 0.1))
    chinese.turn(named.id, "start", "free")
    chinese.turn(named.id, "planner", "smooth")
    state = chinese.wait(named.id, lambda state: state["state"] == "error")
    assert state["note"].startswith("规划 CoTj Sigmas：规划器 'smooth' 不给起点计分")
    chinese.forgive_refusals()
    chinese.turn(dna.id, "name", "none yet: nothing is stored")
    state = chinese.wait(dna.id, lambda state: state["state"] == "empty")
    assert state["title"] == "还没有 DNA" and CHINESE.search(state["detail"])
