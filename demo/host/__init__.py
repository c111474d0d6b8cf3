"""A headless ComfyUI with the pack in it, and a client that talks to it as a browser would."""
