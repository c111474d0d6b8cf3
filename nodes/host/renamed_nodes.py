"""Nodes that have been renamed since the first release, so that saved graphs with their old names keep opening.

An entry stays for good: a graph may be years old. None has been renamed yet.
"""

from comfy_api.latest import ComfyAPI, io

RENAMED: list[io.NodeReplace] = []


async def register() -> None:
    """Tell the host which nodes were renamed; it translates the old nodes of a graph, their inputs and their links."""
    for renamed in RENAMED:
        await ComfyAPI().node_replacement.register(renamed)
