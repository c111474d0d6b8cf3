"""The languages that the pack speaks, and which of them a user of the host reads."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import folder_paths
from comfy.cli_args import args

from ...planner.reading import FAULTS, opened, parse_json, read_whole
from ...planner.texts import Texts, name_key, spoken

LOCALES = Path(__file__).parents[2] / "locales"
NODES = "nodeDefs.json"
SETTINGS, SETTING = "comfy.settings.json", "Comfy.Locale"
MOST = 1 << 20  # bytes of a file that is read here


class Languages:
    """The texts in each user's language.

    The host's settings have the language that a user has chosen there. Without a choice it is that of the browser,
    which only a page knows: the one that asked last is remembered.
    """

    def __init__(self) -> None:
        self._of_page = ""

    def of_page(self, accepted: str) -> Texts:
        """Give the texts for a page. accepted: the header Accept-Language of its request."""
        self._of_page = accepted
        return texts_for(accepted)

    def of_user(self) -> Texts:
        """Give the texts for whoever queued a prompt: English ones where the host has several users."""
        return {} if args.multi_user else texts_for(_chosen() or self._of_page)


def texts_for(accepted: str) -> Texts:
    """Give the texts of the first language in a list such as "zh-CN,zh;q=0.9"; none for English and unknown ones."""
    first = re.match(r"\s*([a-z]+)", accepted.lower())
    return _texts().get(first[1], {}) if first else {}


@cache
def _texts() -> dict[str, Texts]:
    english = _read(LOCALES / "en" / NODES)
    return {
        path.parent.name: _read(path) | _names(english, path.with_name(NODES)) for path in LOCALES.glob("*/texts.json")
    }


def _names(english: Any, path: Path) -> Texts:
    """Read the names of nodes and inputs, as the host shows them, by the English ones of nodes and the inputs' ids."""
    names = {}
    for node_id, node in _read(path).items():
        title = english[node_id]["display_name"].split(" (")[0]  # errors leave out what follows in brackets
        names[name_key(title)] = node["display_name"].split("（")[0]
        names |= {name_key(own, of=title): one["name"] for own, one in node.get("inputs", {}).items()}
    return names


def _chosen() -> str:
    """Give the language in the settings of the host's one user; empty where none was chosen."""
    path = Path(folder_paths.get_user_directory()) / "default" / SETTINGS
    try:
        return _setting(path, path.stat().st_mtime_ns)
    except OSError:
        return ""


@lru_cache(1)
def _setting(path: Path, _changed: int) -> str:
    try:
        return str(_read(path).get(SETTING) or "")
    except FAULTS:  # the host goes on without settings, too
        return ""


def _read(path: Path) -> Any:
    with spoken({}), opened(path) as file:  # what is wrong is said in English, since no other language is known yet
        return parse_json(read_whole(file, MOST), MOST)
