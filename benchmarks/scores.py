"""`python benchmarks scores`: how many of the demo model's images show what their captions say, against model calls.

An automatic checker reads every image back. Each method makes one image of each held-out caption, from the same noise,
at guidance 3; what it learned, it learned on other captions.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import torch
from cotj.harness.environment import cache_dir

from .lab import score_picture
from .lab.arguments import add_output, at_least
from .lab.models import DEMO, DEMO_PROMPTS, Demo
from .lab.runs import FloatArray, Runs, Store
from .lab.score_methods import DEFAULT, PLANNED_SAMPLER, Method, check_kept, methods
from .lab.score_tables import LEGEND, Scores, by_claim, goal, overview, with_as_many
from .lab.task_scores import TaskScores, all_right

CALLS = (4, 6, 8, 3, 5, 2, 10, 17, 25, 50)  # the most telling first, for a benchmark that is stopped
GUIDANCE = 3.0
PICTURED_CALLS = 4
PICTURED = {DEFAULT: "4 calls by default", PLANNED_SAMPLER: "4 calls, Planned Sampler"}


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python benchmarks scores", description=__doc__)
    parser.add_argument("--calls", nargs="+", type=at_least(2), default=CALLS, help="of the model, for an image")
    parser.add_argument("--methods", nargs="+", help="the first words of their names; all without this")
    parser.add_argument("--prompts", type=at_least(2), default=DEMO_PROMPTS, help=f"at most {DEMO_PROMPTS}")
    parser.add_argument("--calibration", type=at_least(8), default=32, help="other prompts, to learn on")
    parser.add_argument("--picture", type=Path, help="PNG to draw, of the first captions with 4 calls")
    parser.add_argument("--kept", action="store_true", help="make no run, and show those that were made")
    add_output(parser, "demo.txt, the table")
    parser.add_argument("--cache", type=Path, default=cache_dir() / "reachability.sqlite", help="what was run already")
    return parser


def main(argv: list[str] | None = None) -> None:
    parser = options()
    args = parser.parse_args(argv)
    if args.picture and args.prompts < score_picture.SHOWN:
        parser.error(f"--prompts is {args.prompts}, and --picture shows {score_picture.SHOWN} captions")
    if args.prompts > DEMO_PROMPTS:
        parser.error(f"--prompts is {args.prompts}, and there are {DEMO_PROMPTS} held-out captions")
    torch.set_num_threads(1)
    subject = Demo(GUIDANCE, args.prompts, args.calibration)
    runs = Runs(subject, Store(args.cache))
    if args.kept:
        check_kept(runs, args.calls)
    tasks, ways, begun = TaskScores(runs, subject.test), methods(runs), time.monotonic()
    chosen = [name for name in ways if not args.methods or name.startswith(tuple(args.methods))]
    if not chosen:
        parser.error(f"--methods {' '.join(args.methods)}: none begins so. They are: {'; '.join(ways)}")
    scores: dict[tuple[str, int], FloatArray] = {}
    text = "nothing was run"
    for calls in args.calls:
        for name in (name for name in chosen if calls <= ways[name].most):
            way = ways[name]
            key, final = way.key(calls), partial(way.final, calls)
            found = tasks.known(key) if args.kept else tasks.measure(key, final)
            if found is None:
                continue
            scores[name, calls] = found
            minutes = (time.monotonic() - begun) / 60
            print(f"  {name}, {calls} calls: {found[:, 0].mean():.3f}; {minutes:.1f} min", flush=True)
            text = report(scores, args.prompts)
            args.output.mkdir(parents=True, exist_ok=True)
            (args.output / "demo.txt").write_text(text + "\n", encoding="utf-8")
    if args.picture:
        walls = [_wall(tasks, ways[name], title) for name, title in PICTURED.items()]
        score_picture.draw(args.picture, walls)
        print(f"Written: {args.picture}")
    print(f"\n{text}")
    if scores:
        print(f"\nWritten: {args.output / 'demo.txt'}")


def _wall(tasks: TaskScores, way: Method, title: str) -> score_picture.Wall:
    final = partial(way.final, PICTURED_CALLS)
    scores = tasks.measure(way.key(PICTURED_CALLS), final)
    return score_picture.Wall(title, all_right(scores), tasks.latents(final, score_picture.SHOWN))


def report(scores: Scores, prompts: int) -> str:
    """Write what is measured so far, so that a benchmark that is stopped leaves its tables."""
    names = list(dict.fromkeys(name for name, _ in scores))
    calls = sorted({k for _, k in scores})
    title = f"{DEMO}, guidance {GUIDANCE:g}: {prompts} held-out captions, an image each"
    parts = [title, *(write(scores, names, calls) for write in (goal, with_as_many, overview)), LEGEND]
    return "\n\n".join([*parts, *(by_claim(scores, names, k) for k in calls)])
