"""`python tests [pytest options]` runs every test in the project's own environment, against a real ComfyUI."""

import os
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "demo"))  # for bootstrap

from bootstrap import enter_environment, load_pack  # noqa: E402


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


def main() -> int:
    load_pack()
    from cotj.demo.host.find import find_comfyui

    enter_environment(find_comfyui())

    import pytest

    os.chdir(ROOT)
    tally = Tally()
    status = pytest.main(sys.argv[1:], plugins=[tally])
    tally.show()
    return int(status)


sys.exit(main())
