"""A search for the schedule whose images come closest to a long run's: carried out as ordered, then told."""

from __future__ import annotations

from collections.abc import Iterable

import comfy.samplers
from comfy.model_management import InterruptProcessingException
from comfy_api.latest import io

from ...planner.texts import say
from ..host.planned_sampler import Source
from ..host.progress import show_text
from ..host.sampler_names import as_meta
from ..host.steering import unknown_steering
from ..reports.search_picture import draw
from ..reports.search_summary import summarise
from ..reports.search_text import describe_cancelled, describe_search
from .order import Order
from .outcome import outcome, with_fault
from .search import ScheduleFile
from .solver_fit import given


def search_by_distance(
    cls: type[io.ComfyNode],
    order: Order,
    file: ScheduleFile,
    steps: int,
    others: Iterable[int],
    guider: comfy.samplers.CFGGuider,
    sampler: comfy.samplers.Sampler,
) -> io.NodeOutput:
    """Search for schedules of so many steps and of others, and give that of so many.

    guider: with the prompts that are searched on.
    """
    node_id, sampler_name = cls.hidden.unique_id, file.key["sampler"]
    try:
        for count in sorted({steps, *others}):
            order.carry_out(file, count)
    except InterruptProcessingException:
        search = file.schedules.searches.get(steps)
        found = summarise(search, sampler_name) if search and search.sigmas else None
        show_text(describe_cancelled(found, file.name), node_id)
        raise
    record = file.schedules.searches[steps]
    summary = summarise(record, sampler_name)
    planned = bool(order.formulas)
    text = describe_search(summary, file.name, file.schedules.steps(), planned=planned)
    text = "\n".join([text, *order.shortfalls(record, steps)])
    if not order.ran and (unknown := unknown_steering(guider)):
        again = say("Search again where they have changed since this result was stored.")
        text = "\n".join([*unknown, again, text])
    text = with_fault(text, file.fault)
    source = Source(as_meta(file.key), node_id, text)
    sigmas, sampler = given(record, sampler, source) if planned else (record.sigmas, sampler)
    return outcome(cls, node_id, sigmas, draw(summary), text, sampler)
