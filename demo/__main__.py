"""`python demo`: render an easy and a hard prompt along planned schedules, and show what it gave.

python demo [--serve] [--output FOLDER]     the demo, in a real ComfyUI; in PyTorch alone where none can be had
python demo --embedded                      the demo in PyTorch alone
python demo install MODELS                  the demo model into the models folder of a ComfyUI of your own
python demo locales | templates             locales/en and the example workflows, after a node has changed
python demo cards [NAME ...]                the cards of the example workflows, those of the demo model's by runs
python demo widget                          README's picture of CoTj KSampler, in a ComfyUI and a Chromium
python demo train | train-decoder | evaluate [...]   how the demo model was made, and its scores
python demo measure-dna | measure-profile | train-predictor    how its predictor was made
python demo registry URL --publisher ID     sets the repository's address before a release
python demo fit                             how its planned samplers were found, in a ComfyUI
python demo pack                            the shipped text encoder and VAE, after their rules have changed
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "harness"))

from environment import enter_any_environment, enter_environment, load_pack

COMMANDS = {
    "install": "install",
    "train": "training.train",
    "evaluate": "training.evaluate",
    "measure-dna": "training.measure_dna",
    "measure-profile": "training.measure_profile",
    "train-decoder": "training.train_decoder",
    "train-predictor": "training.train_predictor",
    "pack": "models.pack",
    "locales": "locales",
    "templates": "templates.write",
    "cards": "templates.cards",
    "widget": "widget",
    "fit": "fit",
    "registry": "registry",
}
OUTPUT = Path(__file__).parent / "output"
ALONE = ("install", "registry")  # what needs no package at all
IN_HOST = ("locales", "templates", "cards", "widget", "fit")  # what needs a ComfyUI
ASKED = "--embedded asks for none."


def main() -> None:
    if sys.argv[1:2] and sys.argv[1] in COMMANDS:
        _run_command(sys.argv[1], sys.argv[2:])
        return
    options = _options(sys.argv[1:])  # first: an environment is not made for a slip of the pen
    if options.serve:
        enter_environment()
        reason = ""
    else:
        reason = enter_any_environment(ASKED if options.embedded else "")
    _module("run").main(options, reason)


def _options(arguments: list[str]) -> argparse.Namespace:
    """Read what the demo itself is asked for."""
    parser = argparse.ArgumentParser(
        prog="python demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--embedded", action="store_true", help="sample in PyTorch alone, without ComfyUI")
    parser.add_argument("--serve", action="store_true", help="leave ComfyUI running, to open the graph in a browser")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder of the pictures, by default %(default)s")
    parser.add_argument("--port", type=int, help="port of ComfyUI; any free one by default")
    options = parser.parse_args(arguments)
    if options.embedded and options.serve:
        parser.error("--embedded starts no ComfyUI that --serve could leave running. Choose one of them.")
    if options.output.exists() and not options.output.is_dir():
        parser.error(f"--output is {options.output}, and that is a file. Name a folder.")
    return options


def _run_command(command: str, arguments: list[str]) -> None:
    if command in IN_HOST:
        enter_environment()
    elif command not in ALONE:
        enter_any_environment()
    sys.exit(_module(COMMANDS[command]).main(arguments))


def _module(name: str) -> ModuleType:
    sys.path.pop(0)
    load_pack()
    return import_module(f"cotj.demo.{name}")


if __name__ == "__main__":
    main()
