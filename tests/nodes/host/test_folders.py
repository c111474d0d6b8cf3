"""Lists of files: the first folder wins, what cannot be read is left out and said once, and names are given once."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from cotj.harness.find import find_comfyui
from cotj.harness.host_modules import import_host
from cotj.planner import DiffusionDNA, dna_file
from cotj.planner.texts import spoken
from cotj.planner.writing import write_file

import_host()

import folder_paths  # noqa: E402
from cotj.nodes.host import file_names, folders, saving  # noqa: E402
from cotj.nodes.host.languages import texts_for  # noqa: E402

DNA = DiffusionDNA([0.5, 1.0], [0.1, 1.0])


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Two folders of the pack, the one to save to first; its name sorts last."""
    places = [tmp_path / name for name in ("z first", "a second")]
    for place in places:
        place.mkdir()
    monkeypatch.setitem(folder_paths.folder_names_and_paths, folders.FOLDER, ([str(place) for place in places], set()))
    file_names.leave_out.cache_clear()
    return places


def test_tests_leave_the_folders_of_the_checkout_alone():
    assert not Path(folder_paths.base_path).resolve().is_relative_to(find_comfyui())


@pytest.mark.parametrize(
    ("ending", "list_them"), [(".safetensors", folders.list_dnas), (".sqlite", folders.list_data_sets)]
)
def test_the_first_folder_wins(places, ending, list_them):
    for place in places:
        dna_file.write(place, "both", DNA)
        (place / "both.safetensors").rename(place / f"both{ending}")
    dna_file.write(places[1], "second", DNA)
    (places[1] / "second.safetensors").rename(places[1] / f"second{ending}")
    found = list_them()
    assert found["both"].parent == places[0] and found["second"].parent == places[1]


def test_a_damaged_file_is_left_out_until_it_is_mended(places, caplog):
    path = places[0] / "a.safetensors"
    path.write_bytes(b"damaged")
    for texts in (texts_for("zh"), {}):
        with spoken(texts):
            assert "a" not in folders.list_dnas() and "a" not in folders.list_predictors()
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("CoTj: a.safetensors is left out of the lists: its header has "), "the log is in English"
    dna_file.write(places[0], "a", DNA)
    assert "a" in folders.list_dnas()


def test_a_file_that_may_not_be_read_is_listed_as_soon_as_it_may(places, caplog, monkeypatch):
    dna_file.write(places[0], "a", DNA)

    def refuse(path):  # a root user is refused nothing
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(folders, "read_header", refuse)
        assert "a" not in folders.list_dnas()
    assert "Permission denied" in caplog.text and "a" in folders.list_dnas()


def test_a_folder_that_vanishes_or_is_a_file_lists_nothing(places):
    places[0].rmdir()
    places[1].rmdir()
    places[1].write_bytes(b"")
    assert set(folders.list_dnas()) == {path.stem for path in folders.SHIPPED.glob("*-mean.safetensors")}
    assert folders.list_data_sets() == {} and folders.changed_at(places[0] / "gone") == 0


def test_many_that_save_one_name_lose_nothing(places):
    def save(number):
        dna = DiffusionDNA([0.5, 1.0], [0.1, number + 1.0])
        return saving.save_as("dna", None, lambda name, may: dna_file.write(places[0], name, dna, may))

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(save, range(40)))
    assert len(set(names)) == 40 and len(list(places[0].iterdir())) == 40
    for number, name in enumerate(names):
        np.testing.assert_array_equal(dna_file.read(places[0] / f"{name}.safetensors").errors, [0.1, number + 1])


def make_link(path):
    path.symlink_to("/nowhere")


def make_junk(path):
    path.write_bytes(b"junk")


@pytest.mark.parametrize("make", [os.mkdir, make_link, make_junk])
def test_a_name_that_anything_has_is_taken(places, make):
    make(places[0] / "dna.safetensors")
    name = saving.save_as("dna", None, lambda name, may: write_file(places[0] / f"{name}.safetensors", b"", may))
    assert name == "dna_00001_"
    with pytest.raises(ValueError, match="Save DNA, input 'name': dna.safetensors is no DNA, so it is not overwritten"):
        saving.check_replaceable("Save DNA", "dna", folders.is_dna, "DNA")


def test_a_folder_that_cannot_be_written_to_is_no_endless_search_for_a_name(places):
    places[0].rmdir()
    places[0].write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        saving.save_as("dna", None, lambda name, may: dna_file.write(places[0], name, DNA, may))
    with pytest.raises(ValueError, match="Train DNA Predictor: .*z first cannot be written to: Not a directory"):
        saving.check_storable("Train DNA Predictor", 1000)
