"""Other packs as folders: which version one is, a copy beside ours, and whether the host could load it."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pack:
    """A checkout of another pack, in a folder with the name of its repository."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def version(self) -> str:
        """Name the commit and its day; '' for what git does not know."""
        command = ["git", "-C", str(self.folder), "log", "-1", "--format=%h of %cs"]
        # Of this folder alone: it may lie in the repository of something else.
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() if self._is_checkout() else ""

    def copy_into(self, custom_nodes: Path) -> None:
        """Copy the pack, since packs write settings into their own folders."""
        shutil.copytree(self.folder, custom_nodes / self.name, ignore=shutil.ignore_patterns(".git"))

    def is_loaded(self, log: str) -> bool:
        """Tell from the host's log whether it could load the pack."""
        lines = [line for line in log.splitlines() if line.endswith(f"custom_nodes/{self.name}")]
        return bool(lines) and "IMPORT FAILED" not in lines[-1]

    def _is_checkout(self) -> bool:
        return (self.folder / ".git").exists()
