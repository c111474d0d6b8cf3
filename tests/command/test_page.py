"""What docs/python.md and its notebook show runs as it is shown, on what pip installs."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
NOTEBOOK = PAGE.with_name("planning.ipynb")


def blocks(section: str, language: str) -> list[str]:
    """The code of this language in a section of the page."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


@pytest.mark.parametrize("number", range(2))
def test_python_snippets_run(number, root, installed):
    snippets = blocks("From Python", "python")
    assert len(snippets) == 2
    run = subprocess.run([installed.python, "-c", snippets[number]], cwd=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("[")  # the planned sigmas


def test_commands_run(installed, tmp_path):
    [block] = blocks("From the shell", "sh")
    lines = block.splitlines()
    assert len(lines) >= 8
    for line in lines:
        name, *arguments = shlex.split(line, comments=True)
        assert name == "cotj"
        to = arguments[arguments.index(">") + 1] if ">" in arguments else None
        run = installed.run(*(arguments[:-2] if to else arguments), cwd=tmp_path)
        assert (run.returncode, run.stderr) == (0, ""), line
        if to:
            (tmp_path / to).write_text(run.stdout)
    assert {path.name for path in tmp_path.iterdir()} == {"plan.png", "plan.json", "diagnosis.png"}


def test_the_notebook_gives_what_it_shows(installed):
    """Texts alone: another Matplotlib draws other pixels."""
    shown = nbformat.read(NOTEBOOK, 4)
    nbformat.validate(shown)
    ran = nbformat.read(NOTEBOOK, 4)
    [packages] = installed.folder.parent.rglob("site-packages")
    seen = os.pathsep.join(filter(None, [str(packages), os.environ.get("PYTHONPATH")]))
    client = NotebookClient(ran, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}})
    client.execute(env=os.environ | {"PYTHONPATH": seen})
    assert texts(ran) == texts(shown)
    assert pictures(ran) == pictures(shown) >= 2


def texts(notebook) -> list[str]:
    """What every cell prints."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) > 5
    return ["".join(output.get("text", "") for output in cell.outputs) for cell in cells]


def pictures(notebook) -> int:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)
