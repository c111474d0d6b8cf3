"""The only place that touches ComfyUI's models, samplers and folders."""
