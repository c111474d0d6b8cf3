"""Disks that are full, read-only or not this user's, locks, two processes in one folder, odd paths and locales."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import numpy as np
from cotj.harness.host_modules import import_host
from cotj.planner import dna_file
from cotj.predictor import DNADataSet
from cotj.tests.robustness.attack import Attack, Outcome, rng_of
from cotj.tests.robustness.children import become_nobody, fault_in_child
from cotj.tests.robustness.disk_writers import make_dna, make_pair, refused_or_whole, write_all, writers

ODD = [
    "模型 目录",
    "it's",
    "a#b?c",
    "100%25",
    "a[1]",
    "\N{SNOWMAN}",
    "ä" * 60,
    " leading",
    "semi;colon&",
    "new\tline",
    "-rf",
]
LOCALES = [
    {"LC_ALL": "C", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX"},
    {"LANG": "tr_TR.UTF-8"},
    {"PYTHONIOENCODING": "ascii"},
]
SAVES = 10  # of each of two processes
MOST_SECONDS = 1.0  # that a locked data set may hold a generation
SLACK = 1.0  # seconds for a busy machine


def full(folder: Path, rng: np.random.Generator) -> str:
    """A disk that is full, as files may grow no more."""
    write_all(folder, rng)

    def trial() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        largest = max(path.stat().st_size for path in folder.iterdir())
        most = largest + int(rng.integers(0, 200_000))  # on a full disk, what is there can still be written over
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        return refused_or_whole(folder, rng) or _cleared(folder)

    return fault_in_child(trial)


def _cleared(folder: Path) -> str:
    """Clear the data set, or be told why not."""
    data = DNADataSet(folder / "d.sqlite")
    with suppress(ValueError):
        data.clear("realised")
    data.contents()
    return ""


def read_only(folder: Path, rng: np.random.Generator) -> str:
    """A folder and files that this user may read and not write."""
    write_all(folder, rng)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)

    def trial() -> str:
        become_nobody()
        return refused_or_whole(folder, rng)

    fault = fault_in_child(trial)
    folder.chmod(0o755)
    changed = [name for name, data in before.items() if (folder / name).read_bytes() != data]
    return fault or (f"{changed} changed" if changed else "")


def not_mine(folder: Path, rng: np.random.Generator) -> str:
    """Files and folders that this user may not even look into."""
    write_all(folder, rng)
    for path in folder.iterdir():
        path.chmod(0)
    (folder / "whole.safetensors").write_bytes(dna_file.to_bytes(make_dna(rng)))
    (folder / "whole.safetensors").chmod(0o644)
    (folder / "pipe.safetensors").symlink_to("/nowhere/x.safetensors")
    os.mkfifo(folder / "fifo.sqlite")
    (folder / "dir.safetensors").mkdir(mode=0)
    closed = rng.random() < 0.3
    folder.chmod(0 if closed else 0o755)

    def trial() -> str:
        become_nobody()
        import folder_paths
        from cotj.nodes.host import folders

        folder_paths.folder_names_and_paths[folders.FOLDER] = ([str(folder)], set())
        found = {"whole"} & set(folders.list_dnas())
        if found != (set() if closed else {"whole"}):
            return f"listed {sorted(folders.list_dnas())}"
        folders.list_predictors(), folders.list_data_sets()
        for name, (_, read) in writers(folder, rng).items():
            try:
                read()
            except ValueError as error:
                if any(word in str(error).lower() for word in ("again", "move it away")):
                    if "cannot be opened" not in str(error) and "cannot be used" not in str(error):
                        return f"{name}: {error}"
            else:
                if name != "data set":
                    return f"{name} was read"
        return ""

    fault = fault_in_child(trial)
    folder.chmod(0o755)
    return fault


def locked(folder: Path, rng: np.random.Generator) -> str:
    """A data set that another program holds."""
    data = DNADataSet(folder / "d.sqlite")
    data.append(make_pair(rng))
    with closing(sqlite3.connect(data.path, isolation_level=None)) as other:
        other.execute(("BEGIN EXCLUSIVE", "BEGIN IMMEDIATE")[int(rng.integers(2))])
        began = time.monotonic()
        try:
            data.append(make_pair(rng))
            return "it was written to"
        except ValueError as error:
            if "in use" not in str(error):
                return str(error)
        seconds = time.monotonic() - began
    data.append(make_pair(rng))
    rows = sum(content.pairs for content in data.contents())
    if rows != 2:
        return f"{rows} rows of 2"
    return f"it took {seconds:.1f} s" if seconds > MOST_SECONDS + SLACK else ""


def two_processes(folder: Path, rng: np.random.Generator) -> str:
    """Two processes that save under one name, and record into one data set, at once."""

    def saver(who: int) -> Callable[[], str]:
        def trial() -> str:
            own = np.random.default_rng([who, int(rng.integers(2**31))])
            import folder_paths
            from cotj.nodes.host import folders, saving

            folder_paths.folder_names_and_paths[folders.FOLDER] = ([str(folder)], set())
            for _ in range(SAVES):
                dna = make_dna(own)
                saving.save_as("one", None, lambda name, may, dna=dna: dna_file.write(folder, name, dna, may))
            return ""

        return trial

    faults = ["", ""]

    def run(who: int) -> None:
        faults[who] = fault_in_child(saver(who))

    threads = [threading.Thread(target=run, args=(who,)) for who in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        dna_file.read(folder / name)
    missing = "" if len(names) == 2 * SAVES else f"{len(names)} files of {2 * SAVES} saves"
    return " ".join(filter(None, (*faults, missing)))


def odd_path(folder: Path, rng: np.random.Generator) -> str:
    """A folder with an odd name, once under an odd locale."""
    there = folder / ODD[int(rng.integers(len(ODD)))] / ODD[int(rng.integers(len(ODD)))]
    locale = LOCALES[int(rng.integers(len(LOCALES)))]
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from environment import load_pack; sys.path.pop(0); load_pack()\n"
        "from pathlib import Path; import numpy as np; from cotj.tests.robustness import disk_writers\n"
        "fault = disk_writers.refused_or_whole(Path(sys.argv[2]), np.random.default_rng(1))\n"
        "print(ascii(fault)); sys.exit(bool(fault))"
    )
    harness = Path(__file__).parents[2] / "harness"
    command = [sys.executable, "-c", code, str(harness), str(there)]
    there.mkdir(parents=True)
    done = subprocess.run(command, env={**os.environ, **locale}, capture_output=True, text=True, errors="replace")
    return "" if done.returncode == 0 else f"{there.name!r} {locale}: {(done.stdout + done.stderr)[-300:]}"


SCENES = (full, read_only, not_mine, locked, two_processes, odd_path)


def run(numbers: Iterable[int], folder: Path) -> Iterator[Outcome]:
    """Make a scene for each number."""
    import_host()
    from cotj.nodes.host import folders, saving  # noqa: F401  # a child that gives up its rights cannot import them

    folder.chmod(0o755)
    for number in numbers:
        scene, here = SCENES[number % len(SCENES)], folder / str(number)
        here.mkdir()
        try:
            fault = scene(here, rng_of("disks", number))
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"[:300]
        shutil.rmtree(here, ignore_errors=True)
        yield Outcome(number, fault and f"{scene.__name__}: {fault}")


ATTACK = Attack(
    "disks",
    "full and read-only disks, locks, two processes, odd paths and locales, a user without permission",
    600,
    12,
    run,
)
