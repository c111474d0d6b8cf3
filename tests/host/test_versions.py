"""Other versions: of the host, and of the pack whose graphs people have saved."""

import re
import shutil
import sys
from types import ModuleType

import pytest
from cotj.harness import find
from cotj.harness.client import ComfyClient
from cotj.harness.server import ComfyServer
from cotj.nodes.host import version as host_version
from cotj.tests.host.conftest import TRACEBACK

RENAMED = """RENAMED: list[io.NodeReplace] = [
    io.NodeReplace(
        new_node_id="CoTjSplitAtBoundary",
        old_node_id="CoTjOldSplit",
        old_widget_ids=["limit"],
        input_mapping=[{"new_id": "sigmas", "old_id": "schedule"}, {"new_id": "boundary", "old_id": "limit"}],
        output_mapping=[{"old_idx": 0, "new_idx": 2}, {"old_idx": 1, "new_idx": 1}],
    )
]"""


@pytest.fixture
def planted(root, published, tmp_path):
    """A server with the pack as it would be with one sentence in it replaced by another."""

    def start(file, old, new):
        pack = tmp_path / "pack"
        for path in published:
            (pack / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, pack / path)
        source = (pack / file).read_text(encoding="utf-8")
        assert source.count(old) == 1
        (pack / file).write_text(source.replace(old, new), encoding="utf-8")
        return ComfyServer(tmp_path / "base", pack=pack)

    return start


def test_a_graph_with_the_old_name_of_a_node_runs(planted):
    old = {
        "1": {"class_type": "ManualSigmas", "inputs": {"sigmas": "1, 0.9, 0.5, 0"}, "_meta": {}},
        "2": {"class_type": "CoTjOldSplit", "inputs": {"schedule": ["1", 0], "limit": 0.7}, "_meta": {}},
        "3": {"class_type": "PreviewAny", "inputs": {"source": ["2", 0]}, "_meta": {}},
        "4": {"class_type": "PreviewAny", "inputs": {"source": ["2", 1]}, "_meta": {}},
    }
    with planted("nodes/host/renamed_nodes.py", "RENAMED: list[io.NodeReplace] = []", RENAMED) as server:
        with ComfyClient(server.url) as client:
            assert "CoTjOldSplit" not in client.object_info()
            result = client.run(old)
    assert result.outputs["3"]["text"] == ["2"]
    assert result.outputs["4"]["text"] == ["tensor([0.5000, 0.0000])"]


def test_every_renamed_node_is_one_that_there_is(client):
    info = client.object_info()
    for old, replacements in client._get("/node_replacements").items():
        for replacement in replacements:
            if replacement["new_node_id"].startswith("CoTj"):
                inputs = info[replacement["new_node_id"]]["input"]
                assert old not in info
                for entry in replacement["input_mapping"] or ():
                    assert entry["new_id"] in inputs["required"] | inputs.get("optional", {})


def test_a_host_that_is_too_old_gets_one_line(planted):
    with planted("nodes/host/version.py", 'OLDEST = "0.23.0"', 'OLDEST = "99.1.0"') as server:
        with ComfyClient(server.url) as client:
            assert not [name for name in client.object_info() if name.startswith("CoTj")]
    log = server.log.read_text(errors="replace")
    [line] = [line for line in log.splitlines() if "CoTj" in line]
    assert re.search(r"CoTj needs ComfyUI 99\.1\.0 or newer, and this one is [\d.]+\. Update ComfyUI\.$", line)
    assert not TRACEBACK.findall(log)


@pytest.mark.parametrize("version", ["0.22.99", "0.3.76", "0.4", None])
def test_older_hosts_are_told_apart(monkeypatch, version):
    host = ModuleType("comfyui_version")
    if version:
        host.__version__ = version
    monkeypatch.setitem(sys.modules, "comfyui_version", host)
    with pytest.raises(RuntimeError, match=f"^CoTj needs ComfyUI .* and this one is {version or 'of unknown version'}"):
        host_version.check_host()


@pytest.mark.parametrize("version", ["0.23.0", "0.33.0", "0.100.0", "1.0.0", "0.23.0rc1"])
def test_newer_hosts_pass(monkeypatch, version):
    host = ModuleType("comfyui_version")
    host.__version__ = version
    monkeypatch.setitem(sys.modules, "comfyui_version", host)
    host_version.check_host()


def test_the_oldest_host_is_one_and_the_same_everywhere(root):
    assert find.OLDEST == host_version.OLDEST
    assert f'requires-comfyui = ">={host_version.OLDEST}"' in (root / "pyproject.toml").read_text(encoding="utf-8")
