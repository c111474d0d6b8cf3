"""The server and client themselves, on nodes that every ComfyUI has."""

import pytest
from cotj.harness.client import ComfyClient, NodeError, ValidationError

PNG = b"\x89PNG\r\n\x1a\n"


def picture(color: int = 255) -> dict:
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 32, "batch_size": 1, "color": color}},
        "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
    }


def test_run_gives_outputs_and_events(client: ComfyClient):
    result = client.run(picture())
    assert client.view(result.outputs["2"]["images"][0]).startswith(PNG)
    assert [data["node"] for data in result.of("executed")] == ["2"]
    assert client.run(picture()).cached == ["1", "2"]


def test_prompts_can_be_waited_for_in_any_order(client: ComfyClient):
    first, second = client.queue(picture(1)), client.queue(picture(2))
    assert client.wait(second).prompt_id == second
    assert [data["node"] for data in client.wait(first).of("executed")] == ["2"]
    assert client.queue_state() == ([], [])


def test_refused_workflow_names_the_node(client: ComfyClient):
    workflow = picture()
    workflow["1"]["inputs"]["width"] = -1
    with pytest.raises(ValidationError, match=r"EmptyImage \(1\): .*width") as refusal:
        client.run(workflow)
    assert set(refusal.value.node_errors) == {"1"}
    with pytest.raises(ValidationError, match="no outputs"):
        client.run({})


def test_failing_node_is_named_and_its_traceback_must_be_expected(client: ComfyClient, server):
    name = client.upload_image("broken.png", b"this is no picture")
    workflow = {"1": {"class_type": "LoadImage", "inputs": {"image": name}}, "2": picture()["2"]}
    with server.expect_traceback("broken.png"):
        with pytest.raises(NodeError) as failure:
            client.run(workflow)
        assert "broken.png" in server.unexpected_tracebacks()[-1]
    assert (failure.value.node_id, failure.value.node_type) == ("1", "LoadImage")
    assert not any("broken.png" in traceback for traceback in server.unexpected_tracebacks())


def test_the_checkout_is_left_as_it_was(server):
    started = (server.base / "custom_nodes").stat().st_mtime
    assert [path for path in server.comfyui.rglob("*") if path.lstat().st_mtime > started] == []
    assert {"input", "temp", "user"} <= {path.name for path in server.base.iterdir()}
