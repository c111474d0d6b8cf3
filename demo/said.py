"""The texts that the code says to a person, in the order in which they stand there: what every locale has to hold."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

PARTS = ("planner", "measuring", "predictor", "nodes")  # what runs in the host
SAYING = {
    "say": slice(0, 1),
    "say_count": slice(1, 3),
}  # the functions of planner/texts.py, and which arguments are texts
_STRING = r'"(?:[^"\\]|\\.)*"'
_CALL = re.compile(r"(?<!function )\bsay\(")  # with what follows: a text, or several that are added
_TEXT = re.compile(rf"\s*(?P<parts>{_STRING}(?:\s*\+\s*{_STRING})*)")


def by_widgets(root: Path) -> list[str]:
    """List the texts of the live widgets; ValueError where one is not written out where it is said."""
    return _each(sorted((root / "web" / "js").glob("*.js")), in_script)


def by_nodes(root: Path) -> list[str]:
    """List the texts that nodes make when they run; ValueError where one is not written out in its file."""
    files = [path for part in PARTS for path in sorted((root / part).rglob("*.py"))]
    return _each([path for path in files if path != root / "planner" / "texts.py"], in_module)


def _each(files: list[Path], texts_in: Callable[[str], Iterator[str]]) -> list[str]:
    return list(dict.fromkeys(text for path in files for text in texts_in(path.read_text(encoding="utf-8"))))


def in_script(source: str) -> Iterator[str]:
    """Find what a script says."""
    for call in _CALL.finditer(source):
        found = _TEXT.match(source, call.end())
        if found is None:
            raise ValueError(f"say() takes a text in double quotes: {source[call.start() : call.end() + 40]!r}")
        yield "".join(json.loads(part) for part in re.findall(_STRING, found["parts"]))


def in_module(source: str) -> Iterator[str]:
    """Find what a module says: texts that are written out, or that a name or an entry of a table there stands for."""
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        name = ast.unparse(call.func)
        for text in call.args[SAYING[name]] if name in SAYING else []:
            found = list(_written_out(text, constants))
            if not found:
                raise ValueError(f"{name}() takes texts that are written out: {ast.unparse(call)}")
            yield from found


def _written_out(text: ast.expr, constants: Mapping[str, ast.expr]) -> Iterator[str]:
    """Find the texts that an expression may be; none where that is not to be seen in the module."""
    if isinstance(text, ast.Constant) and isinstance(text.value, str):
        yield text.value
    elif isinstance(text, ast.Name) and text.id in constants:
        yield from _written_out(constants[text.id], {})
    elif isinstance(text, ast.Subscript) and isinstance(text.value, ast.Name):
        table = constants.get(text.value.id)
        for entry in table.values if isinstance(table, ast.Dict) else []:
            yield from _written_out(entry, {})
