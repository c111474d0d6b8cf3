"""What the published code may import and call: layers point one way, and nothing alarms the registry's scanner."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from cotj.tests.needs_host import HOST

# Each layer with what it may import: layers of the pack, and other packages besides the standard library.
# A file belongs to the layer with the longest path that it lies in.
NUMBERS = {"numpy", "safetensors"}
LAYERS = {
    "planner": ({"planner"}, NUMBERS),
    "measuring": ({"planner", "measuring"}, NUMBERS | {"torch", "skimage", "scipy", "torchvision", "lpips"}),
    "predictor": ({"planner", "measuring", "predictor"}, NUMBERS | {"torch"}),
    "nodes/reports": ({"planner", "measuring", "predictor", "nodes.reports"}, NUMBERS | {"matplotlib"}),
    "nodes/optimizing/stored_result.py": ({"planner"}, NUMBERS),
    "nodes/optimizing/stored_scores.py": (
        {"planner", "nodes.optimizing.stored_result", "nodes.optimizing.stored_search"},
        NUMBERS,
    ),
    "nodes/optimizing/stored_search.py": (
        {
            "planner",
            "nodes.optimizing.stored_result",
            "nodes.optimizing.stored_solver",
            "nodes.optimizing.stored_trial",
        },
        NUMBERS,
    ),
    "nodes/optimizing/stored_solver.py": ({"planner", "nodes.optimizing.stored_trial"}, NUMBERS),
    "nodes/optimizing/stored_trial.py": ({"planner"}, NUMBERS),
    "nodes/optimizing/merged_search.py": ({"planner", "nodes.optimizing.stored_search"}, NUMBERS),
    "nodes/optimizing": (
        {"planner", "measuring", "nodes.optimizing", "nodes.host", "nodes.reports", "nodes.__version__"},
        NUMBERS | HOST | {"torch"},
    ),
    "nodes/sampling": (
        {
            "planner",
            "nodes.sampling",
            "nodes.host",
            "nodes.live",
            "nodes.optimizing.results",
            "nodes.optimizing.solver_fit",
            "nodes.reports",
        },
        HOST | {"torch"},
    ),
    "nodes/live": (
        {
            "planner",
            "nodes.live",
            "nodes.optimizing.stored_result",
            "nodes.optimizing.stored_scores",
            "nodes.optimizing.stored_search",
            "nodes.reports",
        },
        NUMBERS | {"aiohttp"},
    ),
    "nodes/host": (
        {"planner", "measuring", "predictor", "nodes.host", "nodes.reports", "nodes.__version__"},
        NUMBERS | HOST | {"torch"},
    ),
    "demo_model": ({"demo_model"}, NUMBERS | {"torch"}),
    "nodes": (
        {"planner", "measuring", "predictor", "demo_model", "nodes"},
        NUMBERS | HOST | {"torch", "matplotlib", "PIL"},
    ),
    "command": (
        {"planner", "predictor", "nodes.reports", "nodes.live.plan_from_widgets", "nodes.__version__", "command"},
        NUMBERS | {"matplotlib", "torch"},
    ),
    # The fleet is not published: it reaches servers through the harness, and reads and writes the files' formats.
    "fleet": (
        {
            "fleet",
            "harness",
            "planner",
            "predictor",
            "nodes.optimizing.merged_search",
            "nodes.optimizing.stored_search",
        },
        NUMBERS | {"ray", "websocket"},
    ),
    # One command of it runs a benchmark on many servers.
    "fleet/reachability.py": ({"fleet", "benchmarks.lab", "benchmarks.reachability"}, set()),
    "": ({"nodes"}, set()),
}
UNPUBLISHED = {"fleet"}  # where what alarms the registry's scanner is at home
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
        for alias in node.names:
            name = [node.module, alias.name] if node.module else [alias.name]
            yield True, ".".join(["beyond the root"] if beyond else [*above, *name])


def violations(path: Path, source: str) -> list[str]:
    """What one file, given relative to the root, does that its layer must not."""
    layer = max((layer for layer in LAYERS if path.is_relative_to(layer)), key=len)
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
                elif relative and not any(f"{name}.".startswith(f"{allowed}.") for allowed in own):
                    found.append(f"{path}:{node.lineno}: imports {name} against the layers")
                elif not relative and top in UNWELCOME_MODULES and layer not in UNPUBLISHED:
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


def test_the_command_line_keeps_to_its_layer(root: Path):
    """It is not published, and calls PyTorch's loader, with `weights_only`, in one place."""
    modules = [path.relative_to(root) for path in sorted((root / "command").glob("*.py"))]
    found = [line for path in modules for line in violations(path, (root / path).read_text(encoding="utf-8"))]
    assert len(modules) > 8 and [line.split(": ")[1] for line in found] == ["calls torch.load"]
    assert "weights_only=True" in (root / found[0].partition(":")[0]).read_text(encoding="utf-8")


def test_the_fleet_keeps_to_its_layer(root: Path):
    modules = [path.relative_to(root) for path in (root / "fleet").glob("*.py") if path.stem != "__main__"]
    assert Path("fleet/driver.py") in modules
    found = [line for path in modules for line in violations(path, (root / path).read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("fleet/driver.py", "from ..nodes.host import folders"),
        ("fleet/driver.py", "from ..benchmarks.lab import server"),
        ("fleet/driver.py", "import torch"),
        ("planner/dna.py", "from ..fleet import record"),
        ("planner/dna.py", "import torch"),
        ("planner/dna.py", "from comfy import samplers"),
        ("planner/dna.py", "from ..nodes import host"),
        ("planner/dna.py", "from .. import predictor"),
        ("planner/dna.py", "def late():\n    import scipy.optimize"),
        ("predictor/model.py", "import folder_paths"),
        ("predictor/model.py", "from ..nodes.host import Probe"),
        ("nodes/optimizing/candidates.py", "from ..live import plan_from_widgets"),
        ("nodes/plan.py", "from planner import plan_fixed"),
        ("nodes/plan.py", "import cotj.planner"),
        ("nodes/plan.py", "from ... import elsewhere"),
        ("nodes/plan.py", "from ..harness import find"),
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


def test_every_file_at_the_root_of_nodes_has_nodes(root: Path):
    """What adapts the host, answers the widget or draws has a folder of its own."""
    others = {"__init__", "extension", "link_types"}
    files = [path for path in sorted((root / "nodes").glob("*.py")) if path.stem not in others]
    without = [path.stem for path in files if not has_nodes(path.read_text(encoding="utf-8"))]
    assert files and not without, f"without NODES: {', '.join(without)}"


def has_nodes(source: str) -> bool:
    """Whether a module ends up with a list NODES that names a class of its own."""
    body = ast.parse(source).body
    classes = {node.name for node in body if isinstance(node, ast.ClassDef)}
    return any(
        isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]) == "NODES"
        and {name.id for name in ast.walk(node.value) if isinstance(name, ast.Name)} & classes
        for node in body
    )


@pytest.mark.parametrize("source", ["", "NODES = []", "from .plan import PlanSigmas\nNODES = [PlanSigmas]"])
def test_a_module_without_nodes_is_found(source: str):
    assert not has_nodes(source)
    assert has_nodes("class PlanSigmas: ...\nNODES = [PlanSigmas]")


def circle(sources: dict[Path, str]) -> list[str]:
    """Some modules that import one another in a circle, as dotted names; none where the imports have an order.

    sources: by path relative to the root. What a package's own `__init__` imports counts where it is asked for a name.
    """
    modules = {".".join(path.with_suffix("").parts).removesuffix(".__init__"): path for path in sources}
    graph = {name: needs(modules, path, sources[path]) - {name} for name, path in modules.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def needs(modules: dict[str, Path], path: Path, source: str) -> set[str]:
    """Which of the modules one of them imports, wherever in it that stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = path.parent.parts[: len(path.parent.parts) - node.level + 1]
            origin = ".".join([*package, *filter(None, [node.module])])
            inside = {f"{origin}.{alias.name}".lstrip(".") for alias in node.names}
            names = {name if name in modules else origin for name in inside}
            found |= names & set(modules)
    return found


def test_no_modules_import_one_another_in_a_circle(root: Path, published: list[Path]):
    sources = {path: (root / path).read_text(encoding="utf-8") for path in published if path.suffix == ".py"}
    assert len(sources) > 50
    assert not circle(sources)


@pytest.mark.parametrize(
    ("sources", "found"),
    [
        ({"planner/a.py": "from . import b", "planner/b.py": "from .c import d", "planner/c.py": ""}, False),
        ({"planner/a.py": "from . import b", "planner/b.py": "from .a import d"}, True),
        ({"planner/a.py": "def late():\n    from .b import c", "planner/b.py": "from ..planner import a"}, True),
        ({"planner/__init__.py": "from .a import b", "planner/a.py": "from . import c"}, True),
        ({"planner/__init__.py": "from .a import b", "planner/a.py": "", "c.py": "from .planner import a"}, False),
    ],
)
def test_a_planted_circle_is_found(sources: dict[str, str], found: bool):
    assert bool(circle({Path(path): source for path, source in sources.items()})) == found


def test_errors_of_inputs_are_worded_in_one_place(root: Path):
    files = [path for path in (root / "nodes").rglob("*.py") if path.name != "inputs.py"]
    by_hand = [str(path.relative_to(root)) for path in files if ", input '" in path.read_text(encoding="utf-8")]
    assert len(files) > 40 and not by_hand


def test_nothing_but_the_benchmark_of_small_models_imports_from_the_tests(root: Path):
    """Its models are the tests' own, with the graphs and the nodes that run them."""
    folders = [path for path in sorted(root.iterdir()) if path.is_dir() and path.name != "tests"]
    files = [
        path for folder in folders for path in folder.rglob("*.py") if not path.relative_to(root).parts[0][0] == "."
    ]
    importing = [path.relative_to(root) for path in files if "cotj.tests" in path.read_text(encoding="utf-8")]
    assert len(files) > 300 and importing == [Path("benchmarks/models.py")]
