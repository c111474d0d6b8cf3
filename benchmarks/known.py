"""All results that people have measured on their own models, in one table: `python benchmarks known [FILE ...]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from .lab import cell_files, known_table

RESULTS = Path(__file__).parent / "results" / "servers"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python benchmarks known", description=__doc__)
    told = "of `python benchmarks reachability --server`; without any, those in benchmarks/results/servers"
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE", help=told)
    files = parser.parse_args(argv).files or sorted(RESULTS.glob("*.json"))
    try:
        results = [(cell_files.about(path), cell_files.read([path])) for path in files]
    except ValueError as error:
        raise SystemExit(str(error)) from error
    print(known_table.table(results))
