"""Test-only nodes: text as embeddings of any width, an empty audio latent, call counts, run times, a known optimum."""

import hashlib
import os
import time

import comfy.nested_tensor
import comfy.samplers
import folder_paths
import torch
from comfy.k_diffusion.sampling import sample_euler
from comfy.patcher_extension import WrappersMP
from comfy_api.latest import ComfyExtension, io


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
            ],
            outputs=[io.Conditioning.Output()],
        )

    @classmethod
    def execute(cls, text, width, pooled_width) -> io.NodeOutput:
        words = [""] + text.split()
        embeddings = torch.stack([normal_values(word, width) for word in words])[None]
        return io.NodeOutput([[embeddings, {"pooled_output": normal_values(text, pooled_width)[None]}]])


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

        def counted(forward, arguments):
            with open(path, "ab") as calls:
                calls.write(b".")
            return forward(arguments["input"], arguments["timestep"], **arguments["c"])

        model = model.clone()
        model.set_model_unet_function_wrapper(counted)
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
        model.add_wrapper_with_key(WrappersMP.OUTER_SAMPLE, f"stopwatch {file}", timed)
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


def normal_values(text: str, count: int) -> torch.Tensor:
    """(count,) values that are always the same for a text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
    return torch.randn(count, generator=torch.Generator().manual_seed(seed))


class SmallModelsExtension(ComfyExtension):
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return [TextOfWidth, AudioVideoLatent, CountCalls, Stopwatch, KnownOptimum]


async def comfy_entrypoint() -> SmallModelsExtension:
    return SmallModelsExtension()
