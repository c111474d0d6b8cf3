"""`python demo`: render an easy and a hard prompt along planned schedules, in a real ComfyUI, and show what it gave.

python demo [--serve] [--output FOLDER]     the demo
python demo install MODELS                  the demo model into the models folder of a ComfyUI of your own
python demo locales                         locales/en, after a node's names or tooltips have changed
python demo train | evaluate [...]          how the demo model was made, and its scores
"""

import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bootstrap import enter_environment, load_pack

COMMANDS = {
    "install": "install",
    "train": "training.train",
    "evaluate": "training.evaluate",
    "measure-dna": "training.measure_dna",
    "train-predictor": "training.train_predictor",
    "locales": "locales",
}

if __name__ == "__main__":
    # Copying files needs no environment of its own where ComfyUI's is at hand.
    if sys.argv[1:2] != ["install"] or not (find_spec("torch") and find_spec("safetensors")):
        enter_environment()
    sys.path.pop(0)
    load_pack()
    command, arguments = (
        (sys.argv[1], sys.argv[2:]) if sys.argv[1:2] and sys.argv[1] in COMMANDS else ("", sys.argv[1:])
    )
    sys.exit(import_module(f"cotj.demo.{COMMANDS.get(command, 'run')}").main(arguments))
