"""Which test files need a ComfyUI: those in `host` and `browser`, and those that import its modules on the way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (ROOT / "tests" / "host", ROOT / "tests" / "browser")
HOST = {
    "comfy",
    "comfy_api",
    "comfy_execution",
    "comfy_extras",
    "comfyui_version",
    "folder_paths",
    "latent_preview",
    "server",
}
IMPORTS_HOST = ROOT / "harness" / "host_modules.py"  # imports the host inside a function


def needs_host(path: Path) -> bool:
    """Tell whether a test file, or a folder of tests, cannot run without a ComfyUI."""
    return any(path.is_relative_to(folder) for folder in FOLDERS) or (path.match("test_*.py") and _imports_host(path))


def _imports_host(start: Path) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        path = waiting.pop()
        if path == IMPORTS_HOST:
            return True
        modules, own = _imports(path)
        if modules & HOST:
            return True
        waiting += own - seen
        seen |= own
    return False


@cache
def _imports(path: Path) -> tuple[set[str], set[Path]]:
    """What a file imports when it is itself imported: other packages' names, and files of this repository."""
    modules: set[str] = set()
    own: set[Path] = set()
    for node in _at_import(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            package = ("cotj", *path.relative_to(ROOT).parts[:-1])
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            top, *rest = name.split(".")
            if top == "cotj":
                own |= set(_files(rest))
            else:
                modules.add(top)
    return modules, own


def _at_import(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports outside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _at_import(node)


def _files(parts: list[str]) -> Iterator[Path]:
    """The files that importing this module of the pack runs: its own, and those of the packages above it."""
    for end in range(len(parts) + 1):
        place = ROOT.joinpath(*parts[:end])
        yield from (path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file())
