"""The options of `python fleet`, read before any package is there. Standard library only."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

TEMPLATES = Path(__file__).resolve().parent.parent / "example_workflows"
MEASURING, OPTIMIZING = TEMPLATES / "02 Demo model.json", TEMPLATES / "03 Optimize Sigmas.json"
OBJECTIVES = ("balanced", "distance", "mean square")  # of Optimize Sigmas, those that need errors alone
PORT = 6379  # of a cluster's first machine
ENCODING = "utf-8-sig"  # of prompts: UTF-8, with the mark at its beginning that some editors write or without
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.+-]{1,100}")


@dataclass(frozen=True)
class Options:
    """What a command is asked for. folder: of data sets and records. models: a ComfyUI's; None for the one found."""

    folder: Path
    name: str = ""
    prompts: Path = Path()
    workflow: Path = MEASURING
    seeds: int = 1
    first_seed: int = 1
    steps: tuple[int, ...] = ()
    check: int = 16
    reference_steps: int = 50
    objective: str = OBJECTIVES[0]
    dna: Path | None = None
    again: bool = False
    workers: tuple[str, ...] = ()
    headless: int = 0
    models: Path | None = None
    ray: str = ""
    at: str = ""
    port: int = PORT
    silence: float = 300.0
    give_up_after: float = 900.0
    more: tuple[str, ...] = ()  # options of the benchmark of the same name, as they were given


def read(description: str, folder: Path, arguments: list[str]) -> tuple[str, Options]:
    """Read the command and its options; ends the program where they are wrong. folder: the one by default."""
    parser = argparse.ArgumentParser(
        prog="python fleet", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    collect = commands.add_parser("collect", help="measure the DNAs of many prompts into a data set")
    record = commands.add_parser("record", help="record ordinary runs of many prompts into a data set")
    optimize = commands.add_parser("optimize", help="race schedules on many pairs of prompt and noise")
    reachability = commands.add_parser(
        "reachability",
        help="measure cells of this benchmark",
        allow_abbrev=False,
        epilog="What to measure is said by the options of `python benchmarks reachability --server`.",
    )
    status = commands.add_parser("status", help="say how far runs are")
    node = commands.add_parser("node", help="make this machine a part of a Ray cluster, until Ctrl-C")
    node.add_argument("--at", required=True, help="the address that the others reach this machine by")
    node.add_argument("--ray", default="", metavar="ADDRESS", help="of the cluster; without it this is the first one")
    node.add_argument("--port", type=_count, default=PORT, help="of the first one, by default %(default)s")
    for one in (collect, record):
        one.add_argument("--data-set", dest="name", type=_name, required=True, help="name without folder or ending")
    for one in (optimize, reachability):
        one.add_argument("--name", type=_name, required=True, help="of the result, without folder or ending")
    status.add_argument(
        "--name", type=_name, default=argparse.SUPPRESS, help="of a data set or result; by default all are told of"
    )
    _add_running(collect, MEASURING, "Measure DNA")
    _add_running(record, None, "one SamplerCustomAdvanced")
    _add_running(optimize, OPTIMIZING, "Optimize Sigmas")
    _add_workers(reachability)
    optimize.add_argument("--steps", nargs="+", type=_count, required=True, help="numbers of steps to search for")
    optimize.add_argument("--check", type=int, default=16, help="pairs to check the result on: %(default)s")
    optimize.add_argument("--reference-steps", type=_count, default=50, help="of the long runs: %(default)s")
    optimize.add_argument("--objective", choices=OBJECTIVES, default=OBJECTIVES[0], help="by default %(default)s")
    optimize.add_argument("--dna", type=_file, help="a DNA file whose plans compete")
    for one in (collect, record, optimize, reachability, status, node):
        one.add_argument("--folder", type=Path, default=folder, help="of results and records, by default %(default)s")
    known, more = parser.parse_known_args(arguments)
    parsed = vars(known)
    command = parsed.pop("command")
    if more and command != "reachability":
        parser.error(f"unrecognized arguments: {' '.join(more)}")
    return command, Options(more=tuple(more), **{name: _fixed(value) for name, value in parsed.items()})


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _add_running(parser: argparse.ArgumentParser, workflow: Path | None, node: str) -> None:
    """Add what commands with a graph and prompts have. workflow: by default; None where one must be named."""
    parser.add_argument("--prompts", type=_prompts, required=True, help="a file with a prompt in each line")
    parser.add_argument("--seeds", type=_count, default=1, help="noises of each prompt, by default %(default)s")
    parser.add_argument("--first-seed", type=int, default=1, help="by default %(default)s")
    by_default = "; by default the demo's" if workflow else ""
    parser.add_argument(
        "--workflow",
        type=_file,
        default=workflow,
        required=workflow is None,
        help=f"a graph with {node}, saved in ComfyUI{by_default}",
    )
    _add_workers(parser)


def _add_workers(parser: argparse.ArgumentParser) -> None:
    """Add what every command that asks workers has."""
    parser.add_argument("--again", action="store_true", help="also try the items again that were given up")
    parser.add_argument(
        "--workers", nargs="+", type=_address, default=(), metavar="URL", help="ComfyUIs that run, as http://a:8188"
    )
    parser.add_argument(
        "--headless", type=_count, default=0, help="ComfyUIs to start where no workers are named; by default one a GPU"
    )
    parser.add_argument("--models", type=Path, help="models folder of those; by default that of the ComfyUI found")
    parser.add_argument("--ray", default="", metavar="ADDRESS", help="of a Ray cluster; by default Ray starts here")
    parser.add_argument("--silence", type=float, default=300.0, help="seconds after which a worker hangs: %(default)s")
    parser.add_argument(
        "--give-up-after", type=float, default=900.0, help="seconds to wait for any worker at all: %(default)s"
    )


def _name(text: str) -> str:
    if not PLAIN_NAME.fullmatch(text) or text.startswith("."):
        raise argparse.ArgumentTypeError(f"{text!r} is no plain name of letters, digits and - _ + .")
    return text


def _file(text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text}")
    return path


def _prompts(text: str) -> Path:
    path = _file(text)
    try:
        path.read_text(encoding=ENCODING)
    except UnicodeDecodeError:
        raise argparse.ArgumentTypeError(f"{text} is no text in UTF-8: save it in that encoding") from None
    return path


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 on")
    return int(text)


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        right = parts.scheme in ("http", "https") and parts.hostname and not parts.query and not parts.fragment
        _ = parts.port
    except ValueError:
        right = False
    if not right:
        raise argparse.ArgumentTypeError(f"{text!r} is no address such as http://127.0.0.1:8188")
    return text.rstrip("/")
