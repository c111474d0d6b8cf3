"""`python tests [--require-host] [pytest options]` runs every test in the project's own environment.

`python tests robustness`, `fleet` and `neighbours` run the campaigns beside them; they have options of their own.

They run against a real ComfyUI, found or cloned. Where none can be had, the tests that need none run, and the last
lines say what did not; with --require-host it fails instead.
"""

import os
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "harness"))  # for environment alone: its other modules are named as the host's are

from environment import add_environment, enter_any_environment, enter_environment, load_pack  # noqa: E402

sys.path.pop()

REQUIRE_HOST = "--require-host"
MOST_PROCESSES = 4  # each of which runs a ComfyUI


class Tally:
    """A pytest plugin that counts how each test ended, by the part of the suite it belongs to."""

    def __init__(self) -> None:
        self.outcomes: dict[str, dict[str, str]] = {}

    def pytest_runtest_logreport(self, report) -> None:
        _, *folder, _ = report.nodeid.partition("::")[0].split("/")
        part = self.outcomes.setdefault(folder[0] if folder else "repository", {})
        # A test reports up to three times: setup, call, teardown. A failure in any of them is the test's.
        if report.when == "call" or not report.passed:
            if part.get(report.nodeid) != "failed":
                part[report.nodeid] = report.outcome

    def show(self) -> None:
        total: Counter[str] = Counter()
        print()
        for part, tests in self.outcomes.items():
            counts = Counter(tests.values())
            total += counts
            print(f"{part}: {_counts(counts)}")
        print(_counts(total))


def _counts(outcomes: Counter[str]) -> str:
    return ", ".join(f"{outcomes[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def in_processes(count: int) -> list[str]:
    """Give pytest's options that share the tests among so many processes, each with a ComfyUI of its own."""
    # More threads than processors wait for one another in PyTorch for most of their time.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // count)))
    return [f"--numprocesses={count}", "--no-loadscope-reorder"]


def main() -> int:
    if sys.argv[1:2] == ["robustness"]:
        enter_environment()
        load_pack()
        from cotj.tests.robustness.command import main as robustness

        return robustness(sys.argv[2:])
    if sys.argv[1:2] == ["neighbours"]:
        enter_environment()
        load_pack()
        from cotj.tests.neighbours.command import main as neighbours

        return neighbours(sys.argv[2:])
    if sys.argv[1:2] == ["fleet"]:
        enter_any_environment()
        load_pack()
        from cotj.harness import packages

        add_environment(packages.ray())
        from cotj.tests.fleet.kills import main as kills

        return kills(sys.argv[2:])
    arguments = [argument for argument in sys.argv[1:] if argument != REQUIRE_HOST]
    reason = ""
    if len(arguments) < len(sys.argv) - 1:
        enter_environment()
    else:
        reason = enter_any_environment()
    load_pack()
    import pytest
    from cotj.harness.find import how_to_get_one
    from cotj.tests.without_host import LeftOut

    os.chdir(ROOT)
    if not arguments and not reason:
        arguments = in_processes(min(os.cpu_count() or 1, MOST_PROCESSES))
    tally, left_out = Tally(), LeftOut(reason)
    status = pytest.main(arguments, plugins=[tally, left_out])
    tally.show()
    print(left_out.summary(how_to_get_one()))
    return int(status)


sys.exit(main())
