"""The nodes: what the host sees of the pack."""

__version__ = "0.1.0"
