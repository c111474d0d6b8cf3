"""The project's own environment, and a headless ComfyUI: for demo, tests and benchmarks."""
