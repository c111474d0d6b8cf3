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


def unsaid(source: str) -> list[str]:
    """The problems of inputs that are written out in English alone, where they are made or under their usual name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "input_error":
            found += node.args[2:]
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "problem":
            found.append(node.value)
    return [ast.unparse(text) for text in found if isinstance(text, ast.Constant | ast.JoinedStr)]


def test_a_problem_is_said_in_the_language_of_the_host(root: Path):
    sources = [path.read_text(encoding="utf-8") for path in sorted((root / "nodes").rglob("*.py"))]
    assert sum("input_error(" in source for source in sources) > 20
    assert [text for source in sources for text in unsaid(source)] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('input_error(NODE, "dna", say("it is odd"))', []),
        ('input_error(NODE, "dna", "it is odd")', ["'it is odd'"]),
        ('input_error(NODE, "dna", f"{name} is odd")', ["f'{name} is odd'"]),
        ('problem = "it is odd"', ["'it is odd'"]),
        ('problem = say("it is odd")', []),
    ],
)
def test_a_problem_in_english_alone_is_found(line: str, found: list[str]):
    assert unsaid(line) == found
