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
    results, refused = [], []
    for path in files:
        try:
            results.append((cell_files.about(path), cell_files.read([path])))
        except ValueError as error:
            refused.append(str(error))
    if results:
        print(known_table.table(results))
    if refused:
        raise SystemExit("\n".join(refused))
