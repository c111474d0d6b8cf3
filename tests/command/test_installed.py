"""What pip installs from a checkout: it runs from anywhere, alone, and has types."""

import subprocess
import sys
from pathlib import Path

import pytest

MEAN = "Qwen-Image-mean"
PLAN = ("plan", MEAN, "--steps", 4, "--quiet")


def test_it_plans_away_from_the_checkout(installed, run):
    found = installed.run(*PLAN)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == run(*PLAN)
    module = [installed.python, "-m", "cotj", *map(str, PLAN)]
    assert subprocess.check_output(module, cwd=installed.folder, text=True) == found.stdout


def test_a_folder_of_any_name_runs_without_being_installed(root: Path, tmp_path: Path, run):
    folder = tmp_path / "a clone, with-hyphens"
    folder.symlink_to(root, target_is_directory=True)
    command = [sys.executable, str(folder), *map(str, PLAN)]
    assert subprocess.check_output(command, cwd=tmp_path, text=True) == run(*PLAN)


def test_neither_pytorch_nor_the_host_is_imported(installed, profiled):
    """Beside them it would go unseen that they are needed. Nor is Matplotlib, where nothing is drawn."""
    program = (
        "import sys; from cotj.command import main\n"
        "for line in sys.argv[1:]: assert main(line.split('|')) == 0\n"
        "print(sorted({'torch', 'comfy', 'skimage', 'cotj.predictor', 'matplotlib'} & set(sys.modules)))\n"
    )
    lines = [
        [f"plan|{MEAN}|--threshold|0.99", f"cache|{profiled}|--steps|20|--calls|8", f"show|{MEAN}"],
        [f"diagnose|{MEAN}", f"compare|{MEAN}|simple:4", f"plan|{profiled}|--steps|4|--sampler|uni_pc"],
    ]
    for commands, expected in zip(lines, ("[]", "['matplotlib']")):
        command = [installed.python, "-c", program, *commands]
        found = subprocess.run(command, cwd=installed.folder, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        assert found.stdout.splitlines()[-1] == expected


def test_it_brings_its_types_along(installed, tmp_path: Path):
    (tmp_path / "plans.py").write_text(
        "from cotj.planner import DiffusionDNA, plan_fixed\n"
        "plan = plan_fixed(DiffusionDNA([0.1, 1], [0, 1]), steps='four')\n"
        "reveal_type(plan.sigmas)\n"
    )
    options = ["--no-incremental", "--python-executable", str(installed.python)]
    command = [sys.executable, "-m", "mypy", *options, "plans.py"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert 'Argument "steps" to "plan_fixed" has incompatible type "str"; expected "int"' in found.stdout, found.stderr
    assert "numpy.ndarray" in found.stdout and "missing library stubs" not in found.stdout


@pytest.mark.parametrize("command", ["", "plan", "show", "compare", "diagnose", "cache", "convert"])
def test_every_command_has_help(command, capsys):
    from cotj.command import main

    with pytest.raises(SystemExit) as end:
        main([*command.split(), "--help"])
    assert end.value.code == 0
    assert f"usage: cotj {command}".rstrip() in capsys.readouterr().out
