"""DNA files through the host: saved, listed, loaded, averaged, and refused where they are bad."""

import os

import numpy as np
import pytest
from cotj.demo.host.client import NodeError, ValidationError
from cotj.nodes import dna_file
from cotj.planner import DiffusionDNA
from cotj.tests.host.workflows import Graph, adaptive, plan
from safetensors.numpy import save_file

TIMES = np.arange(1, 11) / 10


def flat(error):
    return DiffusionDNA(TIMES, np.full(10, float(error)))


@pytest.fixture
def folder(server):
    return server.models / "cotj"


def listed(client):
    return client.object_info()["CoTjLoadDNA"]["input"]["required"]["name"][1]["options"]


def load(graph, name):
    return graph.add("CoTjLoadDNA", name=name)[0]


def save(graph, dna, name, overwrite=False):
    return graph.add("CoTjSaveDNA", dna=dna, name=name, overwrite=overwrite)


def test_a_saved_dna_is_listed_and_loads_without_a_restart(client, folder):
    dna_file.write(folder, "original", flat(1))
    graph = Graph()
    node = save(graph, load(graph, "original"), "a copy")
    assert client.run(graph.nodes).outputs[node.id]["text"] == ["a copy"]
    assert "a copy" in listed(client)
    graph = Graph()
    graph.show(plan(graph, load(graph, "a copy"))[1])
    client.run(graph.nodes)
    np.testing.assert_array_equal(dna_file.read(folder / "a copy.safetensors").errors, flat(1).errors)


def test_a_taken_name_gets_a_counter_unless_it_may_be_overwritten(client, folder):
    dna_file.write(folder, "first", flat(1))
    dna_file.write(folder, "second", flat(2))
    names = []
    for source, overwrite in (("first", False), ("second", False), ("first", True), ("second", True)):
        graph = Graph()
        # A name of its own for each run, or the host would answer from its cache.
        mean = graph.add("CoTjAverageDNA", **{"dnas.dna0": load(graph, source), "dnas.dna1": load(graph, source)})
        node = save(graph, mean[0], "taken", overwrite)
        names += client.run(graph.nodes).outputs[node.id]["text"]
    assert names == ["taken", "taken_00001_", "taken", "taken"]
    assert dna_file.read(folder / "taken.safetensors").errors[0] == 2
    assert dna_file.read(folder / "taken_00001_.safetensors").errors[0] == 2


def test_a_file_that_changed_is_loaded_again_and_one_that_did_not_is_not(client, folder):
    def steps():
        graph = Graph()
        planned = adaptive(graph, load(graph, "changing"), max_steps=8)
        [shown] = graph.show(planned[1])
        result = client.run(graph.nodes)
        return int(result.outputs[shown]["text"][0]), result.cached

    dna_file.write(folder, "changing", flat(1))
    flat_steps, _ = steps()
    assert steps() == (flat_steps, ["1", "2", "3"])
    dna_file.write(folder, "changing", DiffusionDNA(TIMES, TIMES**6))
    os.utime(folder / "changing.safetensors", ns=(1, 1))  # older than before is a change too
    steep_steps, cached = steps()
    assert steep_steps != flat_steps and "1" not in cached


def test_a_file_that_is_named_through_a_link_is_loaded_every_time(client, server, folder):
    dna_file.write(folder, "linked", flat(1))
    graph = Graph()
    name = graph.add("PrimitiveString", value="linked")[0]
    switch = graph.add("ComfySwitchNode", switch=True, on_false=name, on_true=name)  # a link that a combo takes
    loaded = graph.add("CoTjLoadDNA", name=switch[0])
    graph.show(loaded[0])
    client.run(graph.nodes)
    again = client.run(graph.nodes).cached
    assert switch.id in again and loaded.id not in again
    assert "there is no None" not in server.log.read_text(errors="replace")


def test_a_folder_that_cannot_be_written_to_is_named(client, server, folder):
    dna_file.write(folder, "before", flat(1))
    graph = Graph()
    save(graph, load(graph, "before"), "after")
    client.run(graph.nodes)
    graph.nodes["2"]["inputs"]["name"] = "much after"  # the DNA itself comes from the host's cache
    (folder / "much after.tmp").mkdir()
    try:
        with server.expect_traceback("cannot be written"), pytest.raises(NodeError) as failure:
            client.run(graph.nodes)
    finally:
        (folder / "much after.tmp").rmdir()
    assert failure.value.message.startswith(f"Save DNA: {folder} cannot be written to: ")
    assert "extra_model_paths.yaml" in failure.value.message


def test_an_average_is_the_mean(client, folder):
    graph = Graph()
    for error in (1, 2, 6):
        dna_file.write(folder, f"flat {error}", flat(error))
    dnas = {f"dnas.dna{i}": load(graph, f"flat {error}") for i, error in enumerate((1, 2, 6))}
    save(graph, graph.add("CoTjAverageDNA", **dnas)[0], "mean", overwrite=True)
    client.run(graph.nodes)
    np.testing.assert_allclose(dna_file.read(folder / "mean.safetensors").errors, 3)


def test_dnas_of_different_kinds_have_no_average(client, server, folder):
    dna_file.write(folder, "one kind", flat(1))
    dna_file.write(folder, "another kind", DiffusionDNA(TIMES * 14, np.ones(10), kind="ve"))
    graph = Graph()
    dnas = {"dnas.dna0": load(graph, "one kind"), "dnas.dna1": load(graph, "another kind")}
    graph.show(graph.add("CoTjAverageDNA", **dnas)[0])
    with (
        server.expect_traceback("Average DNA"),
        pytest.raises(NodeError, match=r"Average DNA, inputs 'dnas': .* one model"),
    ):
        client.run(graph.nodes)


def broken(path, **arrays):
    metadata = {"format": dna_file.FORMAT, "kind": "flow", "shift": "null", "meta": "{}"}
    save_file({"sigmas": TIMES, "errors": np.ones(10)} | arrays, path, metadata)


BAD = {
    "no safetensors": lambda path: path.write_bytes(b"this is no such file"),
    "nan errors": lambda path: broken(path, errors=np.where(TIMES > 0.5, np.nan, 1)),
    "negative errors": lambda path: broken(path, errors=TIMES - 0.5),
    "infinite sigmas": lambda path: broken(path, sigmas=np.append(TIMES[:-1], np.inf)),
    "a model": lambda path: save_file({"weight": TIMES}, path),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error_and_the_others_still_list(client, server, folder, name):
    dna_file.write(folder, "good", flat(1))
    BAD[name](folder / f"{name}.safetensors")
    assert {"good", name} <= set(listed(client))
    graph = Graph()
    graph.show(load(graph, name))
    with server.expect_traceback(name), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith(f"Load DNA, input 'name': {name}.safetensors is no readable DNA file: ")
    graph = Graph()
    graph.show(load(graph, "good"))
    client.run(graph.nodes)


NAMES = ["../outside", "a/b", "a\\b", "/etc/passwd", "..", "", "C:a"]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_leads_out_of_the_folder(client, server, folder, name):
    dna_file.write(folder, "inside", flat(1))
    before = {path for path in server.base.rglob("*.safetensors")}
    graph = Graph()
    save(graph, load(graph, "inside"), name)
    with pytest.raises(ValidationError, match="CoTjSaveDNA.*no file name"):
        client.run(graph.nodes)
    graph = Graph()
    graph.show(load(graph, name))
    with pytest.raises(ValidationError, match="CoTjLoadDNA.*not in"):
        client.run(graph.nodes)

    # Through a link, the host checks nothing.
    graph = Graph()
    linked = graph.add("PrimitiveString", value=name)[0]
    save(graph, load(graph, "inside"), linked)
    with (
        server.expect_traceback("no file name"),
        pytest.raises(NodeError, match="Save DNA, input 'name'.*no file name"),
    ):
        client.run(graph.nodes)
    graph = Graph()
    linked = graph.add("PrimitiveString", value=name)[0]
    graph.show(load(graph, graph.add("ComfySwitchNode", switch=True, on_false=linked, on_true=linked)[0]))
    with server.expect_traceback("Load DNA"), pytest.raises(NodeError, match="Load DNA, input 'name': there is no"):
        client.run(graph.nodes)
    assert {path for path in server.base.rglob("*.safetensors")} == before


def test_without_a_folder_the_shipped_files_list(client, folder, root):
    folder.mkdir(exist_ok=True)
    aside = folder.rename(folder.with_name("aside"))
    try:
        shipped = sorted(path.stem for path in (root / "predictor_weights").glob("*.safetensors"))
        assert listed(client) == shipped
    finally:
        aside.rename(folder)
