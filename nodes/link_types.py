"""The pack's own link types."""

from comfy_api.latest import io

from ..planner import Constraints, DiffusionDNA, Plan


@io.comfytype(io_type="COTJ_DNA")
class DNA(io.ComfyTypeIO):
    Type = DiffusionDNA


@io.comfytype(io_type="COTJ_PLAN")
class PLAN(io.ComfyTypeIO):
    Type = Plan


@io.comfytype(io_type="COTJ_CONSTRAINTS")
class CONSTRAINTS(io.ComfyTypeIO):
    Type = Constraints
