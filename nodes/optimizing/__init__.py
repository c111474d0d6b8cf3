"""What Optimize Sigmas does: calibrate, make candidates, search, store."""
