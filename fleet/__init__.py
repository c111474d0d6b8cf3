"""Work for many ComfyUI servers at once, on Ray: measuring DNAs for a data set, racing schedules."""
