"""The demo: a small trained text-to-image model, a headless host to run it in, and `python demo`."""
