"""DNA Diagnostics in the host: the shipped profiles, shown and given out."""

from cotj.tests.host.workflows import Graph, pictures


def test_the_report_is_shown_and_given_out(client, server):
    graph = Graph()
    nodes = {}
    for model in ("Qwen-Image", "Z-Image-Turbo"):
        dna = graph.add("CoTjLoadDNA", name=f"{model}-mean")[0]
        node = graph.add("CoTjDiagnostics", dna=dna)
        nodes[model] = (node, graph.show(node[0])[0], graph.add("PreviewImage", images=node[1]))
    result = client.run(graph.nodes)
    for model, (node, text, preview) in nodes.items():
        [report] = result.outputs[node.id]["text"]
        assert result.outputs[text]["text"] == [report]
        assert ("Clean and monotone" in report) is (model == "Qwen-Image")
        assert ("the first 2% of the range make it worse" in report) is (model == "Z-Image-Turbo")
        assert ("over-cooks" in report) is (model == "Z-Image-Turbo")
        shown = pictures(client, result, node)
        assert shown.shape == (1, 960, 960, 3)
        assert (shown == pictures(client, result, preview)).all()
