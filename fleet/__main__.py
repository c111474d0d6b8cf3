"""`python fleet`: work for many ComfyUI servers at once, on Ray.

python fleet collect --prompts FILE --data-set NAME    measure the DNAs of many prompts, for Train DNA Predictor
python fleet record --prompts FILE --workflow GRAPH --data-set NAME    record ordinary runs, for the same
python fleet optimize --prompts FILE --steps 8 --name NAME    race schedules, for Load Optimized Sigmas
python fleet reachability --name NAME ...              cells of that benchmark, for its --cells
python fleet status [--name NAME]                      how far that is
python fleet node --at ADDRESS [--ray ADDRESS]         make this machine a part of a Ray cluster

Servers are named, as in --workers http://a:8188 http://b:8188, or else started: one on this machine, or one a GPU on
every node of the Ray cluster that --ray names. A command that was stopped goes on where it was.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "harness"))  # for environment alone: its other modules are named as the host's are

from environment import add_environment, cache_dir, enter_any_environment, enter_environment, load_pack  # noqa: E402

sys.path.pop(0)


def main() -> int:
    load_pack()
    from cotj.fleet import options
    from cotj.harness import packages

    command, read = options.read(__doc__ or "", cache_dir() / "fleet", sys.argv[1:])
    if command != "reachability" and (command == "status" or read.workers or read.ray):
        enter_any_environment()
    else:
        enter_environment()
    add_environment(packages.ray())
    from cotj.fleet.command import run

    return run(command, read)


if __name__ == "__main__":
    sys.exit(main())
