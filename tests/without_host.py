"""A pytest plugin for where there is no ComfyUI: leaves out the tests that need one, and says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .needs_host import FOLDERS, ROOT, needs_host


class LeftOut:
    """Collects nothing from what needs a ComfyUI, and keeps the names of its files; without a reason, does nothing."""

    def __init__(self, reason: str) -> None:
        """reason: why there is no ComfyUI, '' where there is one."""
        self.reason = reason
        self.files: list[Path] = []

    # Decided when something is collected, which what lies beside the files that were asked for is not.
    def pytest_collect_directory(self, path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        if not self.reason or path not in FOLDERS:
            return None
        folder = _Folder.from_parent(parent, path=path)
        folder.left_out = self.files
        return folder

    def pytest_pycollect_makemodule(self, module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        if not self.reason:
            return None
        module = _Module.from_parent(parent, path=module_path)
        module.left_out = self.files
        return module

    def summary(self, how_to_get_one: str) -> str:
        """Say which files did not run and why, in lines that nobody overlooks; '' where all did."""
        if not self.files:
            return ""
        parts = Counter(str(path.parent.relative_to(ROOT)) for path in self.files)
        rows = [f"  {part}: {count} {'file' if count == 1 else 'files'}" for part, count in parts.items()]
        bar = "!" * 100
        count = f"{len(self.files)} test {'file needs' if len(self.files) == 1 else 'files need'} a ComfyUI."
        end = "With --require-host, this is a failure."
        return "\n".join([bar, f"DID NOT RUN: {count} {self.reason}", *rows, how_to_get_one, end, bar])


class _Folder(pytest.Dir):
    """A folder of tests that all need a ComfyUI. Not even its conftest is read, which may need packages of the host."""

    left_out: list[Path]

    def collect(self):
        self.left_out += sorted(self.path.rglob("test_*.py"))
        return []


class _Module(pytest.Module):
    left_out: list[Path]

    def collect(self):
        if not needs_host(self.path):
            return super().collect()
        self.left_out.append(self.path)
        return []
