"""The page of limits says what the code holds to."""

import re

from cotj.nodes.optimizing import stored_scores, stored_search
from cotj.planner import dna, dna_file, image_texts, plan_file, reading
from cotj.predictor import files, pairs, release

BYTES = {
    "header of a safetensors file, with its metadata": reading.MAX_HEADER,
    "DNA file": dna_file.MAX_BYTES,
    "predictor file": files.MAX_BYTES,
    "file of schedules": stored_search.MAX_BYTES,
    "file of scores": stored_scores.MAX_BYTES,
    "plan, in a file or in an image": plan_file.MAX_BYTES,
    "either file of a released predictor": release.MAX_BYTES,
}
COUNTS = {
    "lists and objects of JSON in each other": reading.MAX_DEPTH,
    "digits of a whole number": reading.MAX_DIGITS,
    "noise levels of a DNA": dna_file.MAX_LEVELS,
    "model calls of a profile": dna_file.MAX_CALLS,
    "bands of a profile": dna_file.MAX_BANDS,
    "parts of an image up to its plan": image_texts.MOST_PARTS,
    "width of an embedding": pairs.MAX_WIDTH,
    "error of a DNA": f"{dna.LARGEST_ERROR:g}",
    "sigma of a DNA": f"{dna.LARGEST_SIGMA:g}",
}


def test_the_page_names_the_limits_of_the_code(root):
    page = (root / "docs" / "reliability.md").read_text(encoding="utf-8")
    said = dict(re.findall(r"^\| (.+?) \| (\S+(?: MiB)?) \|$", page, re.MULTILINE))
    limits = {name: f"{most >> 20} MiB" for name, most in BYTES.items()}
    limits |= {name: str(most) for name, most in COUNTS.items()}
    assert {name: said.get(name) for name in limits} == limits
