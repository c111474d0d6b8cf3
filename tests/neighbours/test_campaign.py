"""The parts of the campaign that need no other pack: its options, its table, and what it says of a run."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from cotj.tests.neighbours.command import parse, table
from cotj.tests.neighbours.packs import Pack
from cotj.tests.neighbours.scene import defaults
from cotj.tests.neighbours.subjects import SUBJECTS
from cotj.tests.neighbours.trials import Ran, Row, first_sentence, told_of_cache, told_of_plan
from cotj.tests.table_in_page import put_table

NOISE = np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), dtype=np.uint8)
FLAT = np.full_like(NOISE, 127)


def checkout(folder: Path, name: str) -> Path:
    """A folder that the host would take for a pack."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").touch()
    return folder / name


def test_folders_of_known_packs_are_taken(tmp_path):
    folders = [checkout(tmp_path, name) for name in ("RES4LYF", "rgthree-comfy")]
    options = parse(["--packs", *map(str, folders)])
    assert [pack.folder for pack in options.packs] == folders and not options.write
    assert parse(["--write", "--packs", str(folders[0])]).write


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "--packs"),
        (["missing"], "missing is no folder of a pack"),
        (["RES4LYF", "some-pack"], f"nothing of some-pack is known here; known are {', '.join(SUBJECTS)}"),
    ],
)
def test_other_folders_are_refused_with_the_reason(tmp_path, capsys, names, reason):
    for name in set(names) - {"missing"}:
        checkout(tmp_path, name)
    with pytest.raises(SystemExit):
        parse(["--packs", *(str(tmp_path / name) for name in names)] if names else [])
    assert reason in " ".join(capsys.readouterr().err.split())


def test_a_checkout_has_a_version_and_other_folders_have_none(tmp_path):
    folder = checkout(tmp_path, "RES4LYF")
    assert Pack(folder).version() == ""
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "a", "--date=2026-01-02T12:00:00"]):
        subprocess.run([*git, *command], check=True)
    commit = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert Pack(folder).version().startswith(f"{commit} of 20")


def test_a_copy_is_of_all_but_the_history(tmp_path):
    folder = checkout(tmp_path, "RES4LYF")
    (folder / ".git").mkdir()
    Pack(folder).copy_into(tmp_path / "custom_nodes")
    assert [path.name for path in (tmp_path / "custom_nodes" / "RES4LYF").iterdir()] == ["__init__.py"]


def test_the_hosts_log_tells_what_was_loaded():
    log = "   0.3 seconds: /base/custom_nodes/one\n   0.1 seconds (IMPORT FAILED): /base/custom_nodes/two\n"
    assert [Pack(Path(name)).is_loaded(log) for name in ("one", "two", "three")] == [True, False, False]


def test_the_table_names_a_pack_once_and_goes_between_its_marks(tmp_path):
    packs = [Pack(checkout(tmp_path, name)) for name in ("one", "two")]
    rows = [(packs[0], Row("a", "yes", "no: x|y")), (packs[0], Row("b", "yes", "yes")), (packs[1], Row("c", "no", ""))]
    made = table(rows)
    assert made.splitlines()[2:] == [r"| one | a | yes | no: x\|y |", "|  | b | yes | yes |", "| two | c | no |  |"]
    page = tmp_path / "page.md"
    page.write_text("before\n\n<!-- t -->\n\nold\n\n<!-- end of t -->\n\nafter\n")
    put_table(made, page, "t")
    assert page.read_text() == f"before\n\n<!-- t -->\n\n{made}\n\n<!-- end of t -->\n\nafter\n"


def test_a_widget_begins_with_its_default_or_the_first_choice():
    required = {
        "model": ["MODEL", {"tooltip": "Connect one."}],
        "bare": ["LATENT"],
        "steps": ["INT", {"default": 20, "min": 1}],
        "old": [["first", "second"]],
        "new": ["COMBO", {"options": ["third", "fourth"]}],
    }
    found = defaults({"required": required, "optional": {"more": ["INT", {"default": 3}]}})
    assert found == {"steps": 20, "old": "first", "new": "third"}


@pytest.mark.parametrize(
    ("applied", "told"),
    [
        (Ran(NOISE, 5, "5 steps ran: 1, 0.5, 0\nthe sampler asked for 12"), "yes: 5 steps, 5 calls"),
        (Ran(NOISE, 6, "5 steps ran: 1"), "no: 6 calls for 5 steps, without us 5"),
        (Ran(NOISE, 12, "12 steps ran: 1"), "no: 12 steps ran: 1"),
        (Ran(NOISE, 12), "no: "),
        (Ran(FLAT, 5, "5 steps ran: 1"), "no: the image shows nothing"),
        (Ran(error="it broke"), "no: it broke"),
    ],
)
def test_what_is_said_of_a_plan(applied, told):
    assert told_of_plan(applied, Ran(NOISE, 5), Ran(NOISE, 12)) == told


def test_a_sampler_of_several_calls_may_make_others_along_other_noise_levels():
    few, whole = Ran(NOISE, 9), Ran(NOISE, 15)
    assert told_of_plan(Ran(NOISE, 8, "5 steps ran: 1"), few, whole) == "yes: 5 steps, 8 calls"
    assert told_of_plan(Ran(NOISE, 15, "5 steps ran: 1"), few, whole).startswith("no: 15 calls")


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [
        (
            Ran(NOISE, 12, "All 12 steps computed.\nLearned from this run."),
            Ran(255 - NOISE, 5, "5 of 12 steps computed: 0, 2"),
            "yes: 5 of 12 steps, 5 of 12 calls, 5 dB",
        ),
        (Ran(NOISE, 12), Ran(NOISE, 12, "5 of 12 steps computed: 0"), "no: 12 calls, without us 12"),
        (
            Ran(NOISE, 12),
            Ran(NOISE, 12, "All 12 steps computed.\nNothing was learned: so it is. Try this."),
            "all steps are computed: Nothing was learned: so it is.",
        ),
        (Ran(NOISE, 12), Ran(NOISE, 12), "all steps are computed: it says nothing"),
        (Ran(error="it broke"), Ran(NOISE, 5, "5 of 12 steps computed: 0"), "no: it broke"),
        (Ran(NOISE, 12), Ran(FLAT, 5, "5 of 12 steps computed: 0"), "no: the image shows nothing"),
    ],
)
def test_what_is_said_of_a_cache(first, second, told):
    assert told_of_cache(first, second, Ran(NOISE, 12)) == told


def test_a_sentence_ends_at_its_full_stop():
    assert first_sentence("It begins at\n14.61, too high. Choose another.") == "It begins at 14.61, too high."
