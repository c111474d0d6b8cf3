"""DNA files through the host: saved, listed, loaded, averaged, and refused where they are bad."""

import os
from dataclasses import replace

import numpy as np
import pytest
from cotj.harness.client import NodeError, ValidationError
from cotj.planner import DiffusionDNA, dna_file
from cotj.tests.host.workflows import Graph, adaptive, plan, save_dna
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
    return save_dna(graph, dna, name, overwrite)


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


def test_a_dna_that_cannot_be_saved_goes_on_and_is_saved_when_queued_again(client, folder):
    folder.mkdir(exist_ok=True)
    aside = folder.rename(folder.with_name("aside"))
    folder.write_bytes(b"")  # no folder, which not even a root user can write into
    graph = Graph()
    node = graph.add("CoTjSaveDNA", dna=load(graph, "Qwen-Image-mean"), name="after", overwrite=False)
    [steps] = graph.show(plan(graph, node[0], 5)[1])
    try:
        outputs = client.run(graph.nodes).outputs
    finally:
        folder.unlink()
        aside.rename(folder)
    [text] = outputs[node.id]["text"]
    assert text.startswith(f"NOT SAVED: {folder} cannot be written to: ") and "extra_model_paths.yaml" in text
    assert outputs[steps]["text"] == ["5"]
    assert client.run(graph.nodes).outputs[node.id]["text"] == ["after"]
    assert node.id in client.run(graph.nodes).cached
    assert (folder / "after.safetensors").exists() and "after_00001_" not in listed(client)


def test_saving_never_replaces_a_predictor_or_a_file_of_the_user(client, server, folder):
    save_file({"weight": TIMES}, folder / "of the user.safetensors")
    (folder / "notes.tmp").write_text("precious")
    before = (folder / "of the user.safetensors").read_bytes()
    graph = Graph()
    save(graph, load(graph, "Qwen-Image-mean"), "of the user", overwrite=True)
    with (
        server.expect_traceback("is no DNA"),
        pytest.raises(NodeError, match="Save DNA, input 'name': of the user.safetensors is no DNA, .* another name"),
    ):
        client.run(graph.nodes)
    for name in ("of the user", "notes"):
        graph = Graph()
        save(graph, load(graph, "Qwen-Image-mean"), name)
        client.run(graph.nodes)
    assert (folder / "of the user.safetensors").read_bytes() == before
    assert (folder / "notes.tmp").read_text() == "precious"
    assert dna_file.read(folder / "of the user_00001_.safetensors") and dna_file.read(folder / "notes.safetensors")


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
        pytest.raises(NodeError, match=r"Average DNA, input 'dnas': .* one model"),
    ):
        client.run(graph.nodes)


def test_an_average_says_what_it_drops_and_refuses_other_architectures(client, server, folder):
    dna_file.write(folder, "with power", replace(flat(3), power=1.0, meta={"model": "SD3", "guidance": {"cfg": 1.0}}))
    dna_file.write(folder, "without power", replace(flat(5), meta={"model": "SD3", "guidance": {"cfg": 7.0}}))
    dna_file.write(folder, "of flux", replace(flat(3), meta={"sources": [{"model": "Flux"}]}))
    graph = Graph()
    dnas = {f"dnas.dna{i}": load(graph, name) for i, name in enumerate(("with power", "without power"))}
    [shown] = graph.show(graph.add("CoTjAverageDNA", **dnas)[1])
    text = client.run(graph.nodes).outputs[shown]["text"][0]
    assert "The guidance is not the same for all: cfg 1 / cfg 7." in text
    assert "mean of 2 DNAs" in text and "power of the clean latents is dropped" in text
    graph = Graph()
    dnas = {f"dnas.dna{i}": load(graph, name) for i, name in enumerate(("with power", "of flux"))}
    graph.show(graph.add("CoTjAverageDNA", **dnas)[0])
    with (
        server.expect_traceback("Average DNA"),
        pytest.raises(NodeError, match=r"Average DNA, input 'dnas': .* architectures, Flux, SD3"),
    ):
        client.run(graph.nodes)


def broken(path, **parts):
    metadata = {"format": dna_file.FORMAT, "kind": "flow", "shift": "null", "meta": "{}"}
    texts = {name: part for name, part in parts.items() if isinstance(part, str)}
    arrays = {name: part for name, part in parts.items() if name not in texts}
    save_file({"sigmas": TIMES, "errors": np.ones(10)} | arrays, path, metadata | texts)


BAD = {  # whether it is found out without reading the arrays, so that it is not listed either
    "no safetensors": (lambda path: path.write_bytes(b"this is no such file"), True),
    "nan errors": (lambda path: broken(path, errors=np.where(TIMES > 0.5, np.nan, 1)), False),
    "negative errors": (lambda path: broken(path, errors=TIMES - 0.5), False),
    "infinite sigmas": (lambda path: broken(path, sigmas=np.append(TIMES[:-1], np.inf)), False),
    "a model": (lambda path: save_file({"weight": TIMES}, path), True),
    "too many levels": (lambda path: broken(path, sigmas=np.arange(1, 2001) / 2000, errors=np.ones(2000)), True),
    "nested meta": (lambda path: broken(path, meta='{"a":' * 2000 + "1" + "}" * 2000), True),
    "nested predictor": (
        lambda path: broken(path, format="cotj-predictor-1", card='{"a":' * 2000 + "1" + "}" * 2000),
        True,
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_error_and_the_others_still_list(client, server, folder, name):
    make, is_left_out = BAD[name]
    dna_file.write(folder, "good", flat(1))
    make(folder / f"{name}.safetensors")
    assert "good" in listed(client) and (name in listed(client)) != is_left_out
    graph = Graph()
    graph.show(load(graph, name))
    if is_left_out:
        with pytest.raises(ValidationError, match=f"{name}.safetensors is no readable DNA file: "):
            client.run(graph.nodes)
        # Through a link, the host checks nothing.
        graph = Graph()
        linked = graph.add("PrimitiveString", value=name)[0]
        graph.show(load(graph, graph.add("ComfySwitchNode", switch=True, on_false=linked, on_true=linked)[0]))
    with server.expect_traceback(name), pytest.raises(NodeError) as failure:
        client.run(graph.nodes)
    assert failure.value.message.startswith(f"Load DNA, input 'name': {name}.safetensors is no readable DNA file: ")
    assert len(failure.value.message) <= 300
    graph = Graph()
    graph.show(load(graph, "good"))
    client.run(graph.nodes)
    (folder / f"{name}.safetensors").unlink()


def test_what_is_no_file_takes_nothing_away_and_is_said_once(client, server, folder):
    dna_file.write(folder, "good", flat(1))
    endings = (".safetensors", ".schedules.json", ".sqlite")
    odd = [folder / f"{kind}{ending}" for kind in ("pipe", "link", "folder") for ending in endings]
    make = {"pipe": os.mkfifo, "link": lambda at: at.symlink_to("/nowhere/x"), "folder": os.mkdir}
    for path in odd:
        make[path.name.split(".")[0]](path)
    raw_name = os.fsencode(folder) + b"/\xff\xfe.safetensors"
    with open(raw_name, "wb"):
        pass
    try:
        for _ in range(2):
            info = client.object_info()
            assert len([name for name in info if name.startswith("CoTj")]) >= 22
        for node, name in (
            *(("CoTjLoadDNA", "name"), ("CoTjPredictDNA", "predictor"), ("CoTjDataSet", "data_set")),
            *(("CoTjTrainPredictor", "data_set"), ("CoTjOptimizedSigmas", "name")),
        ):
            options = info[node]["input"]["required"][name][1]["options"]
            assert not {"pipe", "link", "folder"} & set(options)
        assert "good" in listed(client)
        log = server.log.read_text(errors="replace")
        for path in odd:
            assert log.count(f"CoTj: {path.name} is left out of the lists: it is no plain file") == 1
    finally:
        os.unlink(raw_name)
        for path in odd:
            path.rmdir() if path.is_dir() else path.unlink()


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
    with pytest.raises(ValidationError, match="CoTjLoadDNA.*there is no"):
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
        assert listed(client) == ["Qwen-Image-mean", "Z-Image-Turbo-mean"]
        predictors = client.object_info()["CoTjPredictDNA"]["input"]["required"]["predictor"][1]["options"]
        assert predictors == ["cotj-demo-predictor"]
    finally:
        aside.rename(folder)
