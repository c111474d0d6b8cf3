"""What the host is asked to write into images, and which images are found by the names that it takes."""

import pytest
from cotj.harness.host_modules import import_host

import_host()

import folder_paths  # noqa: E402
from comfy.cli_args import args  # noqa: E402
from comfy_execution.graph import DynamicPrompt  # noqa: E402
from comfy_execution.progress import get_progress_state, reset_progress_state  # noqa: E402
from cotj.nodes.host.image_metadata import image_path, list_images, write_into_images  # noqa: E402


@pytest.fixture
def folders(tmp_path, monkeypatch):
    for name in ("input", "output", "temp"):
        (tmp_path / name).mkdir()
        monkeypatch.setattr(folder_paths, f"{name}_directory", str(tmp_path / name))
    return tmp_path


def test_where_no_image_would_have_it_it_says_why(monkeypatch):
    assert "extra_pnginfo" in write_into_images(None, "cotj_plan", {}, "plan")
    monkeypatch.setattr(args, "disable_metadata", True)
    assert "--disable-metadata" in write_into_images({}, "cotj_plan", {}, "plan")


def test_content_stands_beside_what_the_page_sends_while_a_node_runs_that_depends_on_its_own():
    sources = {"plan": "picture", "save": "plan", "other plan": "plan", "last": "other plan", "unplanned": "picture"}
    users = {name: {"inputs": {"images": [source, 0]}} for name, source in sources.items()}
    reset_progress_state("prompt", DynamicPrompt(users | {"picture": {"inputs": {}}}))
    metadata, first, second = {"workflow": {}}, {"a": 1}, {"a": 2}

    def while_it_runs(name):
        get_progress_state().start_progress(name)
        seen = metadata.get("cotj_plan")
        get_progress_state().finish_progress(name)
        assert metadata == {"workflow": {}}
        return seen

    assert write_into_images(metadata, "cotj_plan", first, "plan") == ""
    assert while_it_runs("save") is while_it_runs("last") is first
    assert write_into_images(metadata, "cotj_plan", second, "other plan") == ""
    assert (while_it_runs("last"), while_it_runs("save"), while_it_runs("unplanned")) == (second, first, None)
    get_progress_state().start_progress("save")  # and fails
    get_progress_state().start_progress("unplanned")
    assert metadata == {"workflow": {}}


def test_images_are_found_in_the_hosts_folders_alone(folders):
    for place in ("input/a.png", "input/b.WEBP", "input/notes.txt", "output/c.png", "secret.png"):
        (folders / place).write_bytes(b"x")
    (folders / "input" / "pasted").mkdir()
    (folders / "input" / "pasted" / "d.png").write_bytes(b"x")
    (folders / "input" / "link.png").symlink_to(folders / "secret.png")
    assert list_images() == ["a.png", "b.WEBP", "link.png"]
    assert image_path("a.png") == folders / "input" / "a.png"
    assert image_path("pasted/d.png") == folders / "input" / "pasted" / "d.png"
    assert image_path("c.png [output]") == folders / "output" / "c.png"
    for name in ("c.png", "../secret.png", str(folders / "secret.png"), "link.png", "pasted", "", "a\0.png"):
        assert image_path(name) is None, name
