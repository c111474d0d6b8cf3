"""Optimize Sigmas with a score, in the host: the demo's checker is what scores, by the caption of each image."""

import re

import numpy as np
import pytest
from cotj.demo.models import VAE
from cotj.demo.training.scenes import random_scene
from cotj.harness.client import Interrupted, NodeError
from cotj.nodes.optimizing import stored_scores
from cotj.tests.host.workflows import DemoRun, Graph

pytestmark = pytest.mark.usefixtures("demo_models")

STEPS, SEEDS, CHECK, SEED = 4, 2, 2, 70
CAPTIONS = [random_scene(np.random.default_rng(number), held_out=True).caption for number in (3, 5)]


class Scored:
    """Optimize Sigmas with the checker as its score, on a model whose forward passes are counted by another hand.

    prompts: the captions that are connected as prompts; the guider has the first one. said: what Image to Score is told
    of them.
    """

    def __init__(self, server, name, prompts=(), said=CAPTIONS[0], batch=1, gives="score", fails_at=0, **inputs):
        self.server, self.name = server, name
        self.graph = graph = Graph()
        count = ("SmallModelsCountCalls", {"file": f"{name}.calls"})
        self.run = DemoRun(graph, prompt=CAPTIONS[0], seed=SEED, batch=batch, patch=count)
        self.vae = graph.add("VAELoader", vae_name=VAE)[0]
        self.begin = graph.add("CoTjImageToScore", vae=self.vae, prompts=said)
        options = {"gives": gives, "fails_at": fails_at, "file": f"{name}.images"}
        self.score = graph.add("SmallModelsCaptionChecker", image=self.begin[0], caption=self.begin[1], **options)[0]
        clip = graph.nodes[self.run.positive[0]]["inputs"]["clip"]
        encoded = [graph.add("CLIPTextEncode", clip=clip, text=text)[0] for text in prompts]
        links = {f"prompts.prompt{number}": one for number, one in enumerate(encoded)} | {"score": self.score}
        links |= {"guider": self.run.guider, "noise": self.run.noise, "latent_image": self.run.latent}
        links["sampler"] = graph.add("KSamplerSelect", sampler_name="euler")[0]
        defaults = {"steps": STEPS, "seeds": SEEDS, "budget": 304, "name": name, "check": CHECK}
        self.node = graph.add("CoTjOptimizeSigmas", **links | defaults | inputs)
        self.shown = graph.show(self.node[0], self.node[1], self.node[3])

    def queue(self, client):
        """What the node gives: sigmas, steps, text."""
        result = client.run(self.graph.nodes)
        sigmas, steps, text = (result.outputs[node]["text"][0] for node in self.shown)
        return [float(word) for word in re.findall(r"\d\.\d+", sigmas)], int(steps), text

    def count(self, what):
        path = self.server.base / "output" / f"{self.name}.{what}"
        return path.stat().st_size if path.exists() else 0

    @property
    def stored(self):
        """The scores that are kept, by flow times, then by pair."""
        [path] = (self.server.models / "cotj").glob(f"{self.name}.*{stored_scores.SUFFIX}")
        return stored_scores.read(path).scores

    def scored(self):
        """How many runs have a score that is kept."""
        return sum(map(len, self.stored.values()))


def score_of(client, times, seed):
    """What the graph that samples gives an image, with another checker."""
    graph = Graph()
    run = DemoRun(graph, prompt=CAPTIONS[0], seed=seed)
    sigmas = graph.add("ManualSigmas", sigmas=", ".join(f"{time:.9f}" for time in [*times, 0]))[0]
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    image = graph.add("VAEDecode", samples=run.sample(sigmas)[0], vae=vae)[0]
    [shown] = graph.show(graph.add("SmallModelsDemoChecker", image=image, scene=3)[0])
    return float(client.run(graph.nodes).outputs[shown]["text"][0])


def test_the_schedule_whose_images_score_best_is_found_and_nothing_is_paid_for_twice(client, server):
    scored = Scored(server, "scored")
    sigmas, steps, text = scored.queue(client)
    stored, runs = scored.stored, scored.scored()
    assert (scored.count("calls"), scored.count("images")) == (STEPS * runs, runs)
    [own] = [times for times in stored if np.allclose(times, [1, 0.9, 0.75, 0.5])]
    for times, pair in ((own, 0), (own, 1), *((times, 0) for times in list(stored)[-2:])):
        assert stored[times][pair] == pytest.approx(score_of(client, times, SEED + pair), abs=1e-6)

    whole = {times: np.mean([scores[0], scores[1]]) for times, scores in stored.items() if scores.keys() >= {0, 1}}
    best = max(whole, key=whole.get)
    if whole[best] > whole[own]:
        assert "schedule scores better" not in text and "On 2 pairs that nothing was chosen by" in text
        assert set(stored[own]) == set(range(SEEDS + CHECK))
    else:
        assert "No schedule scores better than simple" in text
    assert steps == STEPS and sigmas[-1] == 0 and any(np.allclose(sigmas[:-1], times, atol=1e-3) for times in stored)
    assert f"{'simple':<{len('OptimalSteps Chroma')}}  {whole[own]:.4g}" in text

    scored.graph.nodes[scored.node.id]["inputs"]["budget"] = 305  # so that the host runs it again
    assert scored.queue(client) == (sigmas, steps, text)
    assert (scored.count("calls"), scored.count("images")) == (STEPS * runs, runs)

    [name] = [one for one in listed(client) if one.startswith("scored.")]
    assert name.endswith(" (by score)") and f"It is stored as {name}, which holds {STEPS} steps." in text
    graph = scored.run.graph
    loaded = load(graph, name)
    shown = graph.show(loaded[0], loaded[1], loaded[2])
    links = {"noise": scored.run.noise, "guider": scored.run.guider, "latent_image": scored.run.latent}
    sampled = graph.show(graph.add("SamplerCustomAdvanced", **links, sigmas=loaded[0], sampler=loaded[3])[0])
    other = load(graph, name, sampler=graph.add("KSamplerSelect", sampler_name="dpmpp_2m")[0])
    [told] = graph.show(other[2])
    outputs = client.run(graph.nodes).outputs
    again = [float(word) for word in re.findall(r"\d\.\d+", outputs[shown[0]]["text"][0])]
    assert (again, outputs[shown[1]]["text"][0], outputs[shown[2]]["text"][0]) == (sigmas, str(steps), text)
    assert outputs[sampled[0]]
    misfit, _, rest = outputs[told]["text"][0].partition("\n")
    assert misfit == "DOES NOT FIT: sampler euler there, dpmpp_2m here" and rest == text

    graph = Graph()
    graph.show(load(graph, name, steps=STEPS + 1)[1])
    words = f"input 'steps': .*holds {STEPS} steps, not {STEPS + 1}. Enter one of these"
    with server.expect_traceback("input 'steps'"), pytest.raises(NodeError, match=words):
        client.run(graph.nodes)


def listed(client):
    """What Load Optimized Sigmas offers."""
    return client.object_info()["CoTjOptimizedSigmas"]["input"]["required"]["name"][1]["options"]


def load(graph, name, steps=STEPS, **inputs):
    return graph.add("CoTjOptimizedSigmas", name=name, steps=steps, **inputs)


def test_a_scorer_that_fails_is_named_and_the_scores_so_far_are_kept(client, server):
    scored = Scored(server, "fails", prompts=CAPTIONS, said="\n".join(CAPTIONS), seeds=1, fails_at=6)
    kept = {}
    for time in (1, 2):
        words = "the checker has failed"
        with server.expect_traceback(words), pytest.raises(NodeError, match=words):
            scored.queue(client)
        assert scored.count("images") == 6 * time and scored.scored() == 5 * time  # so none is scored twice
        assert all(scored.stored[times].items() >= scores.items() for times, scores in kept.items())
        kept = scored.stored
    [first, *_] = kept
    assert set(kept[first]) == {0, 1}  # two prompts with a noise each


def test_an_image_is_let_go_when_it_is_scored(client, server):
    scored = Scored(server, "let go", gives="images in memory", fails_at=20)  # by when it is seen
    with server.expect_traceback("the checker has failed"), pytest.raises(NodeError):
        scored.queue(client)
    counts = [count for found in scored.stored.values() for count in found.values()]
    assert len(counts) == 19 and 1 <= min(counts) <= max(counts) <= 3


def test_cancel_keeps_the_scores_so_far(client, server):
    scored = Scored(server, "cancelled scores", budget=500, search_again=True)
    prompt = client.queue(scored.graph.nodes)

    def stop(node, value, _):
        if node == scored.node.id and value >= 30:  # the first image is made and scored alone
            client.interrupt(prompt)

    with pytest.raises(Interrupted):
        client.wait(prompt, stop)
    assert scored.scored() == scored.count("images") == 1
    [name] = [one for one in listed(client) if one.startswith("cancelled scores.")]
    graph = Graph()
    graph.show(load(graph, name)[1])
    with server.expect_traceback("input 'name'"), pytest.raises(NodeError, match="holds no schedule yet"):
        client.run(graph.nodes)
    told = "Cancelled. The scores so far are kept. Switch 'search_again' off and queue again to go on."
    assert client.texts[scored.node.id] == told


def test_each_item_of_a_batch_gets_a_score(client, server):
    scored = Scored(server, "batch", batch=2, fails_at=6)
    with server.expect_traceback("the checker has failed"), pytest.raises(NodeError):
        scored.queue(client)
    assert scored.scored() == 2 and scored.count("images") == 6
    [scores] = scored.stored.values()
    claims = 7 * 2  # of a caption, on two images
    assert all(score * claims == pytest.approx(round(score * claims)) for score in scores.values())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"gives": "nan"}, "input 'score': the score of an image is nan. Connect a node that gives"),
        ({"gives": "list"}, "input 'score': 2 scores came for one image. Give each image one number"),
        ({"gives": "text"}, "input 'score': the score of an image is 'good'. Connect"),
        ({"gives": "long text"}, "input 'score': the score of an image is 'good.{70,80}…. Connect"),
        ({"fit": "sigmas and solver"}, "input 'fit': a solver cannot be fitted to a score. Set it to 'sigmas', or"),
        ({"other_steps": "6"}, "input 'other_steps': .*one number of steps. Empty it, or disconnect score"),
        ({"check": 1}, "input 'check': .*by chance.* Set it to 2 or more"),
        ({"seeds": 1}, "input 'seeds': 2 pairs or more are needed.* Raise it"),
        ({"budget": 40}, r"input 'budget': 40 model calls are too few .* Raise it to \d+ or more"),
        ({"said": "one\ntwo", "prompts": [*CAPTIONS, CAPTIONS[0]]}, "Image to Score, input 'prompts': it has 2 lines"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_for_is_refused_with_the_way_out(server, client, options, words):
    scored = Scored(server, f"refused {'-'.join(map(str, options))} {options.get('gives', '')}".strip(), **options)
    with server.expect_traceback("input '"), pytest.raises(NodeError, match=words):
        scored.queue(client)
    assert scored.count("calls") <= STEPS


def test_a_score_that_does_not_begin_at_image_to_score_is_refused(server, client):
    scored = Scored(server, "elsewhere scored")
    checker = scored.graph.nodes[scored.score[0]]["inputs"]
    checker |= {
        "image": scored.graph.add("EmptyImage", width=256, height=256, batch_size=1, color=0)[0],
        "caption": "x",
    }
    words = "input 'score': what is connected does not begin at Image to Score. Connect a graph that begins there"
    with server.expect_traceback(words), pytest.raises(NodeError, match=words):
        scored.queue(client)
    assert scored.count("images") == 0


def test_image_to_score_by_itself_says_what_it_is_for(server, client):
    graph = Graph()
    vae = graph.add("VAELoader", vae_name=VAE)[0]
    graph.show(graph.add("CoTjImageToScore", vae=vae, prompts="")[1])
    with server.expect_traceback("Image to Score"), pytest.raises(NodeError, match="that node's 'score' alone"):
        client.run(graph.nodes)
