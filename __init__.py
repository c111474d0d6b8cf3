"""CoTj for ComfyUI: sampling schedules planned from what a model gets wrong at each noise level."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    """Called once by the host. The host is imported only here, so that tests of the mathematics need none."""
    from .nodes.oldest import check_host

    check_host()
    from .nodes.extension import CoTjExtension

    return CoTjExtension()
