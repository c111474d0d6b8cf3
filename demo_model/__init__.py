"""The demo model as it ships: its weights and its decoder's, the planned samplers found for it, and rules for the rest.

The pack registers this folder after `models/cotj`, so that what Optimize Sigmas has stored for the model is found, and
the node Load Demo Model reads the rest. None of it is in a folder of models, so that no list offers it for a real one.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "cotj-demo.safetensors"
FITTED = "cotj-demo"  # what Load Optimized Sigmas calls the result of `python demo fit`
SCHEDULES = FOLDER / f"{FITTED}.schedules.json"
