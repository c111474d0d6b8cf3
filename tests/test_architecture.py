"""What the published code may import and call: layers point one way, and nothing alarms the registry's scanner."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Each layer with what it may import: the pack's own layers, and other packages besides the standard library.
LAYERS = {
    "planner": ({"planner"}, {"numpy"}),
    "predictor": ({"planner", "predictor"}, {"numpy", "safetensors", "torch"}),
    "nodes": (
        {"planner", "predictor", "nodes"},
        {"numpy", "safetensors", "torch", "matplotlib", "PIL", "aiohttp", "skimage"}
        | {"comfy", "comfy_api", "comfy_execution", "comfy_extras", "comfyui_version", "folder_paths", "server"},
    ),
    "": ({"nodes"}, set()),
}
UNWELCOME_MODULES = {"ctypes", "ftplib", "http", "marshal", "pickle", "shelve", "socket", "ssl", "subprocess", "urllib"}
UNWELCOME_CALLS = {"__import__", "compile", "eval", "exec", "os.popen", "os.system", "torch.load"}


def imported(path: Path, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[bool, str]]:
    """Each import as (whether it is of the pack itself, dotted name); a relative one as seen from the root."""
    if isinstance(node, ast.Import):
        yield from ((False, alias.name) for alias in node.names)
    elif node.level == 0:
        yield False, node.module or ""
    else:
        above = list(path.parent.parts)[: len(path.parent.parts) - node.level + 1]
        beyond = node.level > len(path.parent.parts) + 1
        for name in [node.module] if node.module else [alias.name for alias in node.names]:
            yield True, ".".join(["beyond the root"] if beyond else [*above, name])


def violations(path: Path, source: str) -> list[str]:
    """What one file, given relative to the root, does that its layer must not."""
    layer = path.parts[0] if len(path.parts) > 1 else ""
    own, foreign = LAYERS[layer]
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    deferred = {node for function in functions for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for relative, name in imported(path, node):
                top = name.partition(".")[0]
                if relative and layer == "" and node not in deferred and name != "beyond the root":
                    found.append(f"{path}:{node.lineno}: imports {name} outside comfy_entrypoint")
                elif relative and top not in own:
                    found.append(f"{path}:{node.lineno}: imports {name} against the layers")
                elif not relative and top in UNWELCOME_MODULES:
                    found.append(f"{path}:{node.lineno}: imports {name}, which the registry's scanner flags")
                elif not relative and top not in sys.stdlib_module_names | foreign:
                    found.append(f"{path}:{node.lineno}: imports {name}, which is not for {layer or 'the root'}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in UNWELCOME_CALLS:
            found.append(f"{path}:{node.lineno}: calls {ast.unparse(node.func)}")
    return found


def test_published_code_keeps_to_its_layer(root: Path, published: list[Path]):
    modules = [path for path in published if path.suffix == ".py"]
    assert {path.parts[0] for path in modules} >= {"planner", "nodes", "__init__.py"}
    found = [line for path in modules for line in violations(path, (root / path).read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("planner/dna.py", "import torch"),
        ("planner/dna.py", "from comfy import samplers"),
        ("planner/dna.py", "from ..nodes import host"),
        ("planner/dna.py", "from .. import predictor"),
        ("planner/dna.py", "def late():\n    import scipy.optimize"),
        ("predictor/model.py", "import folder_paths"),
        ("predictor/model.py", "from ..nodes.host import Probe"),
        ("nodes/plan.py", "from planner import plan_fixed"),
        ("nodes/plan.py", "import cotj.planner"),
        ("nodes/plan.py", "from ... import elsewhere"),
        ("nodes/plan.py", "from ..demo import bootstrap"),
        ("nodes/plan.py", "import nodes"),
        ("nodes/plan.py", "import subprocess"),
        ("nodes/plan.py", "from urllib.request import urlopen"),
        ("nodes/plan.py", "import requests"),
        ("nodes/plan.py", "exec('1')"),
        ("nodes/plan.py", "torch.load('model.pt')"),
        ("__init__.py", "import comfy_api"),
        ("__init__.py", "from .nodes import plan"),
        ("__init__.py", "from . import nodes"),
        ("__init__.py", "try:\n    from . import nodes\nexcept ImportError:\n    pass"),
    ],
)
def test_planted_violation_is_found(path: str, source: str):
    assert len(violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("planner/dna.py", "import math\nimport numpy as np\nfrom . import timeshift\nfrom .timeshift import stretch"),
        ("predictor/model.py", "import torch\nfrom ..planner import DiffusionDNA"),
        ("nodes/plan.py", "import comfy.samplers\nfrom .. import predictor\nfrom ..planner.dna import DiffusionDNA"),
        ("nodes/plan.py", "import re\nre.compile('a')\nmodel.eval()"),
        ("__init__.py", "async def comfy_entrypoint():\n    from .nodes.extension import CoTjExtension"),
    ],
)
def test_what_is_allowed_passes(path: str, source: str):
    assert violations(Path(path), source) == []
