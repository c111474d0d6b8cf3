"""Other packs beside ours: what they sample with, through our nodes. `python tests neighbours` runs it."""
