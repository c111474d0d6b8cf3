"""CoTj for ComfyUI: sampling schedules planned from what a model gets wrong at each noise level."""

import sys

# ComfyUI imports every folder in custom_nodes, and ends where a route is registered twice. Of several copies of the
# pack, the one that is imported first serves.
SERVING = sys.modules.setdefault("comfyui_cotj", sys.modules[__name__])
WEB_DIRECTORY = "./web" if SERVING is sys.modules[__name__] else None


async def comfy_entrypoint():
    """Called once by the host. The host is imported only here, so that tests of the mathematics need none."""
    from .nodes.host.version import check_host

    check_host()
    if WEB_DIRECTORY is None:
        from .nodes.host.second_copy import stand_back

        return stand_back(__path__[0], SERVING.__path__[0])
    from .nodes.extension import CoTjExtension

    return CoTjExtension()
