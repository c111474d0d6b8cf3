"""The command line of `command/`: as `python -m cotj` where it is installed, else as `python FOLDER` of a clone."""

import sys
from pathlib import Path

if __package__:
    from .command import program
else:  # the folder may be called anything, with a hyphen too
    sys.path[0] = str(Path(__file__).parent / "harness")  # in place of it: its modules are named as those of others are
    from environment import load_pack

    sys.path.pop(0)
    load_pack()
    from cotj.command import program

sys.exit(program())
