"""`python tests neighbours --packs FOLDER ...`: other packs beside ours in one ComfyUI, and what samples in them.

Each is a checkout, in a folder with the name of its repository. PYTHONPATH names the folder of the Python packages that
they need beyond ComfyUI's. Samplers, schedulers and guiders run on the demo model without our nodes, through Apply CoTj
Plan to Model, and through Cache Steps.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from cotj.demo.models import install
from cotj.harness.client import ComfyClient
from cotj.harness.environment import ROOT
from cotj.harness.server import ComfyServer
from cotj.tests.host.conftest import TRACEBACK
from cotj.tests.neighbours.packs import Pack
from cotj.tests.neighbours.subjects import SUBJECTS
from cotj.tests.neighbours.trials import Row, Trials
from cotj.tests.small_models import install_nodes
from cotj.tests.table_in_page import put_table

PAGE = ROOT / "docs" / "nodes.md"
START = 900  # seconds that a host with many packs may take to start


def main(arguments: list[str]) -> int:
    """Run the command; gives 1 where a pack or ours did not load."""
    options = parse(arguments)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        rows, fault = run(options.packs, Path(folder))
    made = table(rows)
    print(made)
    if options.write and not fault:
        put_table(made, PAGE, "neighbours")
    print(fault, end="\n" if fault else "")
    return int(bool(fault))


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the options; ends the program where a folder is no pack that is known here."""
    parser = argparse.ArgumentParser(prog="python tests neighbours", description=__doc__)
    parser.add_argument("--packs", nargs="+", type=Path, required=True, metavar="FOLDER", help=", ".join(SUBJECTS))
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    options = parser.parse_args(arguments)
    options.packs = [Pack(folder.resolve()) for folder in options.packs]
    for pack in options.packs:
        if not (pack.folder / "__init__.py").is_file():
            parser.error(f"{pack.folder} is no folder of a pack")
        if pack.name not in SUBJECTS:
            parser.error(f"nothing of {pack.name} is known here; known are {', '.join(SUBJECTS)}")
    return options


def run(packs: list[Pack], base: Path) -> tuple[list[tuple[Pack, Row]], str]:
    """Run all that samples in these packs; gives what is said of each, and what did not load."""
    install_nodes(base / "custom_nodes")
    for pack in packs:
        pack.copy_into(base / "custom_nodes")
    with ComfyServer(base, timeout=START) as server, ComfyClient(server.url) as client:
        install(server.models)
        log = server.log.read_text(errors="replace")
        ours = [traceback for traceback in TRACEBACK.findall(log) if "comfyui-cotj" in traceback]
        if ours or "CoTjApplyPlan" not in client.object_info():
            return [], f"our nodes did not load beside them:\n{ours or log}"
        loaded = [pack for pack in packs if pack.is_loaded(log)]
        rows = list(_rows(loaded, Trials(server, client)))
    missing = ", ".join(pack.name for pack in packs if pack not in loaded)
    return rows, f"{missing} did not load:\n{log}" if missing else ""


def _rows(packs: list[Pack], trials: Trials) -> Iterator[tuple[Pack, Row]]:
    for pack in packs:
        for subject in SUBJECTS[pack.name]:
            row = trials.of(subject)
            print(f"{pack.name}: {row}", flush=True)
            yield pack, row


def table(rows: list[tuple[Pack, Row]]) -> str:
    """Put what is said of all into a table of Markdown; a pack is named in the first of its rows."""
    lines = ["| pack | what samples | Apply CoTj Plan to Model | Cache Steps |", "| --- | --- | --- | --- |"]
    before = None
    for pack, row in rows:
        name = "" if pack is before else " ".join(filter(None, [pack.name, pack.version()]))
        before = pack
        lines.append(
            "| " + " | ".join(cell.replace("|", r"\|") for cell in (name, row.what, row.plan, row.cache)) + " |"
        )
    return "\n".join(lines)
