"""Test-only nodes: the demo's checker of pictures for one scene and for captions, text as embeddings of any width, an
empty audio latent, call counts, run times, models of any class of the host, models and samplers of which the best is
known."""

import gc
import hashlib
import os
import time

import comfy.nested_tensor
import comfy.samplers
import folder_paths
import numpy as np
import torch
from comfy.k_diffusion.sampling import sample_euler
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import ComfyExtension, io

from .host_class import HostClass
from .repository import load_repository


class TextOfWidth(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsText",
            display_name="Text of Width",
            category="testing",
            inputs=[
                io.String.Input("text"),
                io.Int.Input("width", default=768, min=1, max=8192),
                io.Int.Input("pooled_width", default=768, min=1, max=8192),
                io.Int.Input(
                    "llama_layers",
                    default=0,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="Of a second encoder, as HiDream's.",
                ),
            ],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, text, width, pooled_width, llama_layers=0) -> io.NodeOutput:
        words = [""] + text.split()
        embeddings = torch.stack([normal_values(word, width) for word in words])[None]
        found = {"pooled_output": normal_values(text, pooled_width)[None]}
        if llama_layers:
            found["conditioning_llama3"] = embeddings[:, None].repeat(1, llama_layers, 1, 1)
        return io.NodeOutput([[embeddings, found]])


class AudioVideoLatent(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsAudioVideo",
            display_name="Audio-Video Latent",
            category="testing",
            inputs=[
                io.Latent.Input("video"),
                io.Int.Input("channels", default=8, min=1, max=1024),
                io.Int.Input("length", default=8, min=1, max=1024),
                io.Int.Input("bins", default=16, min=1, max=1024),
            ],
            outputs=[io.Latent.Output()],
        )

    @classmethod
    def execute(cls, video, channels, length, bins) -> io.NodeOutput:
        samples = video["samples"]
        audio = samples.new_zeros(len(samples), channels, length, bins)
        return io.NodeOutput({"samples": comfy.nested_tensor.NestedTensor((samples, audio))})


class CountCalls(io.ComfyNode):
    """A model that leaves a byte in a file of the output folder for every forward pass."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsCountCalls",
            display_name="Count Calls",
            category="testing",
            inputs=[io.Model.Input("model"), io.String.Input("file")],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, file) -> io.NodeOutput:
        path = os.path.join(folder_paths.get_output_directory(), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)

        def counted(executor, *args, **kwargs):
            with open(path, "ab") as calls:
                calls.write(b".")
            return executor(*args, **kwargs)

        model = model.clone()
        model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, f"cotj_count {file}", counted)
        return io.NodeOutput(model)


class Stopwatch(io.ComfyNode):
    """A model that writes the seconds of each of its runs into a file of the output folder, a line each."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsStopwatch",
            display_name="Stopwatch",
            category="testing",
            inputs=[io.Model.Input("model"), io.String.Input("file")],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, file) -> io.NodeOutput:
        path = os.path.join(folder_paths.get_output_directory(), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)

        def timed(executor, *args, **kwargs):
            begin = time.perf_counter()
            result = executor(*args, **kwargs)
            seconds = time.perf_counter() - begin
            with open(path, "a") as lines:
                lines.write(f"{seconds}\n")
            return result

        model = model.clone()
        model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, f"cotj_stopwatch {file}", timed)
        return io.NodeOutput(model)


class KnownOptimum(io.ComfyNode):
    """A sampler that ends in the model's long run along the sigmas that it is given here, and off it along others."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsKnownOptimum",
            display_name="Known Optimum",
            category="testing",
            inputs=[io.String.Input("inner_sigmas"), io.Int.Input("long_steps", default=4, min=1, max=1000)],
            outputs=[io.Sampler.Output()],
        )

    @classmethod
    def execute(cls, inner_sigmas, long_steps) -> io.NodeOutput:
        options = {"optimum": [float(sigma) for sigma in inner_sigmas.split(",")], "long_steps": long_steps}
        return io.NodeOutput(comfy.samplers.KSAMPLER(sample_known_optimum, options))


def sample_known_optimum(model, x, sigmas, extra_args=None, callback=None, disable=None, *, optimum, long_steps):
    """Euler along `long_steps` of the simple schedule, and then a pattern more for each sigma between the given ends,
    as strong as that is off its optimum: the mean squared error is about the squared distance of the two."""
    model_sampling = model.inner_model.model_patcher.get_model_object("model_sampling")
    long = comfy.samplers.calculate_sigmas(model_sampling, "simple", long_steps).to(sigmas)
    end = sample_euler(model, x, long, extra_args, callback, disable)
    patterns = torch.stack([normal_values(f"node {number}", x[0].numel()) for number in range(len(optimum))])
    off = (sigmas[1:-1].cpu() - torch.tensor(optimum)) @ patterns
    return end + off.view_as(x[0]).to(end)


class ExactMixture(io.ComfyNode):
    """A model that guesses as the exact mixture of the benchmarks: latents of 256 values, prompts by Mixture Prompt."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsExactMixture",
            display_name="Exact Mixture",
            category="testing",
            inputs=[
                io.Model.Input("model"),
                io.Int.Input("prompts", default=8, min=1, max=1024),
                io.Float.Input("guidance", default=1.0, min=0, max=100),
                io.String.Input("file"),
            ],
            outputs=[io.Model.Output()],
        )

    @classmethod
    def execute(cls, model, prompts, guidance, file) -> io.NodeOutput:
        exact = lab_mixture().mixture(prompts=prompts, guidance=guidance)
        path = os.path.join(folder_paths.get_output_directory(), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)

        def guess(_, arguments):
            with open(path, "ab") as calls:
                calls.write(b".")
            x, sigma, text = arguments["input"], arguments["timestep"], arguments["c"]["c_crossattn"]
            numbers = text[:, 0, 0].round().long().cpu().numpy()
            found = exact.guess(x.flatten(1).double().cpu().numpy(), float(sigma[0]), numbers)
            return torch.from_numpy(found).view_as(x).to(x)

        model = model.clone()
        model.set_model_unet_function_wrapper(guess)
        return io.NodeOutput(model)


class MixturePrompt(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsMixturePrompt",
            display_name="Mixture Prompt",
            category="testing",
            inputs=[io.Int.Input("number", default=0, min=0, max=1024)],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, number) -> io.NodeOutput:
        return io.NodeOutput([[torch.full((1, 1, 1), float(number)), {"pooled_output": torch.zeros(1, 1)}]])


class DemoChecker(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsDemoChecker",
            display_name="Demo Checker",
            category="testing",
            inputs=[io.Image.Input("image"), io.Int.Input("scene", default=0, min=0, max=1024)],
            outputs=[io.Float.Output()],
        )

    @classmethod
    def execute(cls, image, scene) -> io.NodeOutput:
        """The mean share of claims about a scene that hold in the demo model's images, at their latents' size."""
        load_repository()
        from cotj.demo.training.checker import check
        from cotj.demo.training.scenes import random_scene

        wanted = random_scene(np.random.default_rng(scene), held_out=True)
        small = torch.nn.functional.avg_pool2d(image.movedim(-1, 1).double(), 8).movedim(1, -1).cpu().numpy()
        found = [list(check(one, wanted).values()) for one in small]
        return io.NodeOutput(float(np.mean(found)))


class CaptionChecker(io.ComfyNode):
    """The demo's checker for one of its first captions, which leaves a byte in a file for every image.

    gives: what it makes of a score. fails_at: it fails at every image of this number, counted by that file; 0 for none.
    """

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SmallModelsCaptionChecker",
            display_name="Caption Checker",
            category="testing",
            inputs=[
                io.Image.Input("image"),
                io.String.Input("caption"),
                io.String.Input("file"),
                io.Int.Input("fails_at", default=0, min=0, max=10_000),
                io.Combo.Input("gives", options=["score", "nan", "list", "text", "long text", "images in memory"]),
            ],
            outputs=[io.Float.Output(is_output_list=True)],
        )

    @classmethod
    def execute(cls, image, caption, file, fails_at, gives) -> io.NodeOutput:
        path = os.path.join(folder_paths.get_output_directory(), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab") as images:
            images.write(b".")
        if fails_at and os.path.getsize(path) % fails_at == 0:
            raise RuntimeError("the checker has failed")
        load_repository()
        from cotj.demo.training.checker import check
        from cotj.demo.training.scenes import random_scene

        scenes = (random_scene(np.random.default_rng(number), held_out=True) for number in range(100))
        wanted = next(scene for scene in scenes if scene.caption == caption)
        [picture] = torch.nn.functional.avg_pool2d(image.movedim(-1, 1).double(), 8).movedim(1, -1).cpu().numpy()
        score = float(np.mean(list(check(picture, wanted).values())))
        made = {"score": [score], "nan": [float("nan")], "list": [score, score], "text": ["good"]}
        made |= {"long text": ["good" * 100_000], "images in memory": [float(images_in_memory(image.shape))]}
        return io.NodeOutput(made[gives])


def images_in_memory(shape: torch.Size) -> int:
    """Count the tensors of this shape that Python knows of, one for each storage."""
    tensors = [one for one in gc.get_objects() if type(one) is torch.Tensor and one.shape == shape]
    return len({one.untyped_storage().data_ptr() for one in tensors})


def lab_mixture():
    """The benchmarks' module of that name."""
    load_repository()
    from cotj.benchmarks.lab import mixture

    return mixture


def normal_values(text: str, count: int) -> torch.Tensor:
    """(count,) values that are always the same for a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


class SmallModelsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [
            TextOfWidth,
            AudioVideoLatent,
            CountCalls,
            Stopwatch,
            KnownOptimum,
            ExactMixture,
            MixturePrompt,
            DemoChecker,
            CaptionChecker,
            HostClass,
        ]


async def comfy_entrypoint() -> SmallModelsExtension:
    return SmallModelsExtension()
