"""How the command ends: quietly, or with one line and status 2, and so on narrow terminals and in other locales."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cotj.command import main

MEAN = "Qwen-Image-mean"
# How Python begins, unless a shell has started it in the background of a script, with interrupts ignored.
INTERRUPTIBLE = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


def test_the_version_is_that_of_the_package(root: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    told = capsys.readouterr().out.split()
    assert end.value.code == 0 and told[0] == "cotj"
    assert f'\nversion = "{told[1]}"\n' in (root / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "arguments are required: COMMAND"),
        (["plam"], "invalid choice: 'plam'"),
        (["plan", MEAN], "one of the arguments --steps --threshold --target-error is required"),
        (["plan", MEAN, "--steps", "four"], "--steps: a whole number from 1 to 1000, not 'four'"),
        (["plan", MEAN, "--steps", "0"], "--steps: a whole number from 1 to 1000, not '0'"),
        (["plan", MEAN, "--steps", "101"], f"{MEAN}: 101 steps need as many nodes, but for 'cotj' this DNA has 100"),
        (["plan", MEAN, "--steps", "4", "--denoise", "2"], "denoise must lie between 0 and 1, not 2.0"),
        (["plan", MEAN, "--steps", "4", "--denoise", "nan"], "denoise must lie between 0 and 1, not nan"),
        (["plan", MEAN, "--steps", "4", "--sampler", "dpmpp2m"], "such as dpmpp_2m or"),
        (["plan", MEAN, "--steps", "4", "--planner", "smooth"], "no trajectory profile"),
        (["plan", MEAN, "--steps", "4", "--max-steps", "9"], "--max-steps: it has no meaning beside --steps"),
        (["plan", MEAN, "--threshold", "2"], "threshold must lie between 0 and 1, not 2.0"),
        (["plan", MEAN, "--target-error", "0"], "--target-error: it must be above 0"),
        (["plan", MEAN, "--steps", "4", "--visit", "0.5,x"], "--visit: a number, not 'x'"),
        (["plan", MEAN, "--steps", "4", "--visit", "5"], "visit 5 lies above where the schedule starts"),
        (["plan", MEAN, "--steps", "4", "--min-jump", "3"], "limits: min_jump must be above 0 and at most 1"),
        (
            ["plan", MEAN, "--steps", "4", "--picture", "plan.gif"],
            "--picture plan.gif: its name ends with none of .png",
        ),
        (["plan", MEAN, "--steps", "4", "--picture", f"{__file__}/a.png"], "a.png: there is no such folder. Make the"),
        (["diagnose", MEAN, "--picture", "/nonexistent/d.png"], "/nonexistent/d.png: there is no such folder"),
        (["convert", __file__, "/nonexistent/a.safetensors"], "/nonexistent/a.safetensors: there is no such folder"),
        (["plan", MEAN, "--steps", "4", "--quiet", "--json"], "--quiet: it has no meaning beside --json"),
        (["plan", "none.safetensors", "--steps", "4"], "none.safetensors: there is no such file"),
        (["plan", ".", "--steps", "4"], ".: "),
        (["show", __file__], "is no readable DNA file"),
        (["compare", MEAN], "the following arguments are required: SCHEDULE"),
        (["compare", MEAN, "nothing"], "nothing: it is no file, no list of sigmas"),
        (["compare", MEAN, "simple:9999999999"], "simple:9999999999: it is no file"),
        (["compare", MEAN, ",".join(["0.5"] * 400)], "it is no whole schedule"),
        (["show", "x" * 5000], "there is no such file"),
        (["show", "\x1b[31mred\nand more"], "cotj show: [31mred and more: there is no such file"),
        (["compare", MEAN, "0,0.5,1"], "0,0.5,1: it is no whole schedule"),
        (["compare", MEAN, "sd=14.6,3,0"], "sd: it starts at sigma 14.6, but this DNA's model has none above 1"),
        (["cache", MEAN, "--steps", "20"], "one of the arguments --calls --target-error is required"),
        (["cache", MEAN, "--steps", "20", "--calls", "9", "--denoise", "0"], "--denoise: it must be above 0"),
        (["cache", MEAN, "--sigmas", "1,0.5,0.7", "--calls", "2"], "sigmas must descend strictly"),
        (["convert", "none", "a.safetensors"], "none: there is no such file or folder"),
    ],
)
def test_an_error_is_one_line_that_names_what_is_wrong(arguments, said, fail):
    assert said in fail(*arguments)


def test_so_it_is_for_every_damaged_file(fail, tmp_path: Path):
    whole = (Path(__file__).parents[2] / "predictor_weights" / f"{MEAN}.safetensors").read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    for content in (b"", b"\xff" * 40, whole[:100], whole[:-8], whole.replace(b"cotj-dna-1", b"cotj-dna-9")):
        damaged.write_bytes(content)
        for command in (["plan", damaged, "--steps", 4], ["show", damaged], ["diagnose", damaged]):
            assert "damaged.safetensors is no readable DNA file" in fail(*command)


def test_an_error_of_the_installed_program(installed):
    found = installed.run("plan", "nothing", "--steps", 4)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr == (
        "cotj plan: nothing: there is no such file. Means that come along are Qwen-Image-mean and Z-Image-Turbo-mean.\n"
    )


@pytest.mark.skipif(os.name == "nt", reason="its pipes and terminals are others")
class TestOnPosix:
    def test_a_reader_that_has_seen_enough(self, installed):
        ours, theirs = os.pipe()
        os.close(ours)
        found = subprocess.run([installed.folder / "cotj", "show", MEAN], stdout=theirs, stderr=subprocess.PIPE)
        os.close(theirs)
        assert (found.returncode, found.stderr) == (141, b"")

    def test_a_full_disk_behind_the_output(self, installed):
        with open("/dev/full", "w") as full:
            found = subprocess.run(
                [installed.folder / "cotj", "show", MEAN], stdout=full, stderr=subprocess.PIPE, text=True
            )
        assert found.returncode == 2
        assert found.stderr == "cotj show: the output cannot be written: No space left on device.\n"

    @pytest.mark.parametrize("redirected", [">&-", ">&- 2>&-"])
    def test_a_closed_output(self, installed, redirected):
        command = ["sh", "-c", f"./cotj show {MEAN} {redirected}"]
        found = subprocess.run(command, cwd=installed.folder, stderr=subprocess.PIPE, text=True)
        expected = "" if "2>" in redirected else "cotj: the output cannot be written: it is closed.\n"
        assert (found.returncode, found.stderr) == (2, expected)

    @pytest.mark.parametrize("after", [0, 0.03, 0.1, 0.3, 0.8, 2])
    def test_an_interrupt(self, installed, profiled, after):
        """From the moment that its own code begins: while NumPy loads, while it plans, or when it has ended."""
        program = (
            f"{INTERRUPTIBLE}import os, sys, threading, time\n"
            "from cotj.command import program\n"
            "def interrupt():\n"
            "    while signal.getsignal(signal.SIGINT) != signal.SIG_DFL: time.sleep(0)\n"
            f"    time.sleep({after}); os.kill(os.getpid(), signal.SIGINT)\n"
            "threading.Thread(target=interrupt, daemon=True).start(); sys.exit(program())"
        )
        arguments = ["cache", profiled, "--steps", "50", "--target-error", "1e-12"]
        command = [installed.python, "-c", program, *arguments]
        found = subprocess.run(command, cwd=installed.folder, capture_output=True, text=True)
        assert (found.returncode, found.stderr) in [(-signal.SIGINT, ""), (0, "")]
        assert found.returncode or after > 0.1

    @pytest.mark.parametrize(
        ("begins", "status"),
        [(INTERRUPTIBLE, -signal.SIGINT), (INTERRUPTIBLE.replace("default_int_handler", "SIG_IGN"), 0)],
    )
    def test_an_interrupt_while_python_ends(self, installed, begins, status):
        program = (
            f"{begins}import atexit, os, sys; from cotj.command import program\n"
            "atexit.register(os.kill, os.getpid(), signal.SIGINT); sys.exit(program())"
        )
        command = [installed.python, "-c", program, "show", MEAN]
        found = subprocess.run(command, cwd=installed.folder, capture_output=True, text=True)
        assert (found.returncode, found.stderr) == (status, "") and found.stdout

    @pytest.mark.parametrize("width", [30, 44, 200])
    def test_a_terminal_is_not_overrun(self, installed, width):
        import fcntl
        import struct
        import termios

        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        command = [installed.folder / "cotj", "plan", "Z-Image-Turbo-mean", "--threshold", "0.99"]
        subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, check=True)
        os.close(theirs)
        lines = _all_of(ours).decode().splitlines()
        assert max(map(len, lines)) <= width and (len(lines) > 10) == (width < 50)
        assert "schedule (0.3312 against 0.4436; a run may" in " ".join(" ".join(lines).split())
        assert any(line.split()[-1].rstrip(",") == "0" for line in lines if line.startswith(("sigmas", "  ")))

    def test_names_that_the_locale_cannot_write(self, installed, tmp_path: Path):
        source = Path(__file__).parents[2] / "predictor_weights" / f"{MEAN}.safetensors"
        named = tmp_path / "图 é.safetensors"
        named.write_bytes(source.read_bytes())
        environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
        found = installed.run("show", named, env=environment)
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.isascii() and "100, from sigma 0.0218 to 1" in found.stdout
        missing = installed.run("show", tmp_path / "图.safetensors", env=environment)
        assert missing.returncode == 2 and missing.stderr.count("\n") == 1 and missing.stderr.isascii()


def _all_of(terminal: int) -> bytes:
    content = b""
    try:
        while part := os.read(terminal, 4096):
            content += part
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(terminal)
    return content


def test_it_does_not_shadow_what_others_import(root: Path):
    """The folder of a clone, which Python puts first on its path, has modules called nodes, command and tests."""
    program = "import runpy, sys; sys.argv = ['x', 'show', 'Qwen-Image-mean']\n"
    program += f"try: runpy.run_path({str(root)!r}, run_name='__main__')\n"
    program += f"except SystemExit: print({str(root)!r} in sys.path, {str(root / 'harness')!r} in sys.path)"
    found = subprocess.check_output([sys.executable, "-c", program], cwd="/", text=True)
    assert found.splitlines()[-1] == "False False"
