"""Two copies of the pack in custom_nodes: ComfyUI starts, and one of them serves."""

import json
import shutil
import urllib.request

from cotj.demo.locales import HIDDEN
from cotj.harness.client import ComfyClient
from cotj.harness.server import ComfyServer
from cotj.tests.host.conftest import TRACEBACK
from cotj.tests.host.test_route import post, sent
from cotj.tests.host.test_schemas import NODES


def test_two_copies_start_and_one_stands_back(root, published, tmp_path):
    copy = tmp_path / "base" / "custom_nodes" / "comfyui-cotj-main"
    for path in published:
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, copy / path)
    with ComfyServer(tmp_path / "base") as server:
        with ComfyClient(server.url) as client:
            assert {name for name in client.object_info() if name.startswith("CoTj")} == {*NODES, *HIDDEN}
        with urllib.request.urlopen(f"{server.url}/extensions") as reply:
            scripts = [path for path in json.load(reply) if path.endswith("/js/extension.js") and "cotj" in path]
        assert post(server, sent())[0] == 200
    log = server.log.read_text(errors="replace")
    [line] = [line for line in log.splitlines() if "CoTj" in line]
    assert "stands back" in line and str(copy) in line and str(copy.parent / "comfyui-cotj") in line
    assert len(scripts) == 1
    assert scripts[0].split("/")[2] in line.partition("since the one in ")[2]
    assert not TRACEBACK.findall(log)
