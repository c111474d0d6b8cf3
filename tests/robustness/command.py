"""`python tests robustness`: makes the trials that are still to be made, and prints what came of all of them."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from cotj.harness.environment import ROOT, cache_dir
from cotj.tests.robustness import ATTACKS
from cotj.tests.robustness.results import Results, table
from cotj.tests.table_in_page import put_table

PAGE = ROOT / "docs" / "reliability.md"


def main(arguments: list[str]) -> int:
    """Run the command; gives 1 where a trial had a fault."""
    parser = argparse.ArgumentParser(prog="python tests robustness", description=__doc__)
    parser.add_argument(
        "attacks", nargs="*", metavar="attack", help=f"one or more of {', '.join(ATTACKS)}; all if none"
    )
    parser.add_argument(
        "--count", type=int, help="make trials up to this number of each, instead of the whole campaign"
    )
    parser.add_argument("--minutes", type=float, default=120, help="begin no trial later than this (default: 120)")
    parser.add_argument("--again", action="store_true", help="make the trials that had faults again")
    parser.add_argument(
        "--results", type=Path, default=cache_dir() / "robustness.jsonl", help="where outcomes are kept"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md; makes no trial")
    options = parser.parse_args(arguments)
    if unknown := set(options.attacks) - set(ATTACKS):
        parser.error(f"there is no attack {', '.join(unknown)}")
    results = Results(options.results)
    if options.write:
        put_table(table(list(ATTACKS.values()), results), PAGE, "campaign")
        return 0
    deadline = time.monotonic() + 60 * options.minutes
    faults = 0
    for attack in (ATTACKS[name] for name in options.attacks or ATTACKS):
        done = results.of(attack)
        wanted = range(options.count or attack.goal)
        numbers = [n for n in wanted if n not in done or (options.again and done[n].fault)]
        print(f"{attack.name}: {len(numbers)} of {len(wanted)} trials are to be made", flush=True)
        in_time = (number for number in numbers if time.monotonic() < deadline)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            for outcome in attack.run(in_time, Path(folder)) if numbers else ():
                results.add(attack, outcome)
                if outcome.fault:
                    faults += 1
                    print(f"  {attack.name} {outcome.number}: {outcome.fault}", flush=True)
    print(table(list(ATTACKS.values()), results))
    return min(faults, 1)
