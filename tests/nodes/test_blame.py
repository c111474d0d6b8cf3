"""What a node refuses before it runs is blamed on the input that is at fault, and on no other."""

import ast
from pathlib import Path

import pytest


def blamed_together(source: str) -> list[list[str]]:
    """The inputs of each `validate_inputs` that has several: the host blames what it refuses on all that it takes.

    What is annotated as `object` is not judged there: the host passes what grows, and blames nothing on that.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name == "validate_inputs":
            names = [
                arg.arg for arg in node.args.args[1:] if not arg.annotation or ast.unparse(arg.annotation) != "object"
            ]
            if node.args.kwarg or len(names) > 1:
                found.append(names)
    return found


def test_a_refused_input_alone_is_blamed(root: Path):
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "nodes").glob("*.py"))]
    assert sum("def validate_inputs" in source for source in sources) > 5
    assert [names for source in sources for names in blamed_together(source)] == []


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        ("name: str", []),
        ("name: str, prompts: object = None", []),
        ("name: str, steps: str", [["name", "steps"]]),
        ("name, steps", [["name", "steps"]]),
        ("name: str, **others: object", [["name"]]),
    ],
)
def test_inputs_that_would_be_blamed_together_are_found(inputs: str, found: list[list[str]]):
    assert blamed_together(f"def validate_inputs(cls, {inputs}): ...") == found
