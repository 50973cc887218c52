"""How fast the model is, each thing against its baseline in the same run.

Prints a table, and as its last line one JSON object: the ratios asked for, and whether all hold.
The backbone is ViT-B/16 with random weights: speed does not depend on what it learned.

The ratios are of processor time on one thread, both sides by turns, medians: other work on the
machine hardly changes them. The absolute times are wall clock on all cores, and the load average
beside them says whether the machine was quiet. Run: `make bench-model`; `--quick` for development.
"""

# open_clip and pytorch-grad-cam ship no types, and torch leaves parts of its interface untyped.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

# ruff: noqa: E402 - the path comes before the imports

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Run as a file, Python would find the bench beside it under the name "statistics".
sys.path[0] = str(ROOT)

import numpy as np
import open_clip
import torch
from pytorch_grad_cam import GradCAM
from torch import Tensor, nn
from torch.nn import functional

from models.backbone import Backbone
from models.backbone_record import BackboneRecord
from models.backbone_sources import CLIP_MEAN, CLIP_STD
from models.coop import CoopConfig, train_prompt
from models.gradcam import map_grid, margin_maps
from models.overlay import render_overlay
from models.packed import packed_blocks
from models.precision import has_bfloat16
from models.preprocess import Preprocessing
from models.prompt import Prompt, encode_prompts, starting_context

NAMES = ("basal cell carcinoma", "seborrheic keratosis")
BATCH = 8  # images of one plain encode, and of one prediction with its map
STEP = 32  # images of a training step, as CoOp published it
PAPER_IMAGES, PAPER_EPOCHS = 5038, 100
VIEWS = (1, 4, PAPER_EPOCHS)
NOT_ASKED = 0.0
PLAIN = "prediction and map of an image, against a plain encode"
EXAMPLE = "the same, against pytorch-grad-cam's CLIP example"
# What `example_map` takes over the example's own classes, measured once beside it at most
# (docs/performance.md): its time is divided by this, so that the stand-in never flatters us.
STAND_IN = 1.19


@dataclass(frozen=True)
class Line:
    """One comparison, in seconds; `asked` is the ratio to reach, baseline over ours.

    The baselines compute in float32, ours in `precision`. A goal is reached when it is reached in
    one of the precisions that reread offers on this processor; the JSON line says in which.
    """

    name: str
    ours: float
    baseline: float
    asked: float = NOT_ASKED
    precision: str = "float32"

    @property
    def ratio(self) -> float:
        """How many times faster than the baseline."""
        return self.baseline / self.ours


def random_vit() -> Backbone:
    """ViT-B/16 as OpenAI built it, with random weights, frozen."""
    torch.manual_seed(1)
    config = open_clip.get_model_config("ViT-B-16-quickgelu")
    model: Any = open_clip.CLIP(**config)
    model.eval().requires_grad_(False)
    record = BackboneRecord(
        "ViT-B-16-quickgelu",
        None,
        "quick_gelu",
        Preprocessing(224, CLIP_MEAN, CLIP_STD),
        None,
        None,
        None,
        "0" * 64,
    )
    return Backbone(model, open_clip.get_tokenizer("ViT-B-16-quickgelu"), record)


class ExampleClassifier(nn.Module):
    """What pytorch-grad-cam's CLIP example wraps: image and labels encoded on every call.

    As in its usage_examples/clip_example.py: every weight wants a gradient, the labels are
    tokenised and padded to the longest of them, the output is their softmax, the layer is the last
    block's first LayerNorm, the target is the likeliest label. Three things differ: open_clip
    instead of transformers, so that both sides run the same weights; our two labels instead of its
    five; and its reading of the file, its printing and its drawing are left out.
    """

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.clip: Any = backbone.model
        self.tokenizer = backbone.tokenizer

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities of the labels. (B, 3, S, S) to (B, C)."""
        identifiers = self.tokenizer(NAMES)  # (C, L)
        ends = identifiers.argmax(dim=-1)
        words = self.clip.token_embedding(identifiers[:, : int(ends.max()) + 1])
        texts = encode_prompts(self.clip, words, ends)  # (C, D)
        features = functional.normalize(self.clip.visual(images), dim=-1)  # (B, D)
        return (self.clip.logit_scale.exp() * features @ texts.T).softmax(dim=-1)


def example_map(backbone: Backbone, image: Tensor) -> object:
    """One turn of the example's loop: the library's map of one image (1, 3, S, S)."""
    rows, columns = map_grid(backbone.model, image)
    classifier = ExampleClassifier(backbone).requires_grad_()

    def to_grid(tokens: Tensor) -> Tensor:
        return tokens[:, 1:].reshape(len(tokens), rows, columns, -1).permute(0, 3, 1, 2)

    layer: Any = backbone.model.visual.transformer.resblocks[-1].ln_1
    with GradCAM(classifier, [layer], reshape_transform=to_grid) as cam:
        found = cam(input_tensor=image, targets=None)
    classifier.requires_grad_(requires_grad=False).zero_grad(set_to_none=True)
    return found


def uncut(prompt: Prompt, backbone: Backbone) -> Tensor:
    """Text features of the prompt padded to the whole context, as CoOp published it. (C, D)."""
    short = prompt.embeddings()  # (C, L, W)
    missing = backbone.model.context_length - short.shape[1]
    whole = torch.cat([short, short[:, -1:].expand(-1, missing, -1)], dim=1)  # (C, 77, W)
    return encode_prompts(backbone.model, whole, prompt.ends)


def step(prompt: Prompt, texts: Tensor, features: Tensor, labels: Tensor) -> None:
    """Loss and gradient of one batch of unit image features (B, D)."""
    functional.cross_entropy(100 * features @ texts.T, labels).backward()
    prompt.context.grad = None


def by_turns(
    works: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Median seconds of each work, done by turns; a first of several rounds is not counted."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            start = clock()
            work()
            times[name].append(clock() - start)
    return {name: float(np.median(found[1:] or found)) for name, found in times.items()}


class Works:
    """Everything that is timed, on one backbone."""

    def __init__(self, backbone: Backbone) -> None:
        generator = torch.Generator().manual_seed(2)
        self.backbone = backbone
        self.inputs = torch.randn(STEP, 3, 224, 224, generator=generator)
        self.direction = torch.randn(512, generator=generator)
        self.features = functional.normalize(torch.randn(STEP, 512, generator=generator), dim=-1)
        self.labels = torch.arange(STEP) % 2
        self.packed = packed_blocks(backbone.model)  # once, as the worker does when it starts
        self.prompt = Prompt(backbone, NAMES, starting_context(backbone, 16, 0.02, 3))

    def encode(self) -> Tensor:
        """Encode a batch and nothing else."""
        with torch.no_grad():
            return self.backbone.model.encode_image(self.inputs[:BATCH])

    def predict(self) -> object:
        """Margins and maps of the same batch."""
        return margin_maps(self.backbone.model, self.inputs[:BATCH], self.direction, self.packed)

    def example(self) -> object:
        """One image through the library's example."""
        return example_map(self.backbone, self.inputs[:1])

    def cut_prompt(self) -> None:
        """One step of the prompt, cut to its real length."""
        step(self.prompt, self.prompt(), self.features, self.labels)

    def whole_prompt(self) -> None:
        """One step of the prompt at the full context."""
        step(self.prompt, uncut(self.prompt, self.backbone), self.features, self.labels)

    def cached_epoch(self) -> object:
        """One training step by the code that `reread train` runs, set-up included."""
        config = CoopConfig(epochs=1, batch_size=STEP)
        return train_prompt(self.backbone, NAMES, self.features[None], self.labels, config)

    def encoded_step(self) -> None:
        """One step that encodes its images and reads the prompt at the full context."""
        with torch.no_grad():
            features = self.backbone.model.encode_image(self.inputs, normalize=True)
        step(self.prompt, uncut(self.prompt, self.backbone), features, self.labels)


def lines(works: Works, *, quick: bool) -> list[Line]:
    """Time both sides of every comparison, on one thread."""
    torch.set_num_threads(1)
    clock = time.process_time
    rounds = 2 if quick else 6
    maps = by_turns({"plain": works.encode, "ours": works.predict}, rounds, clock)
    example = by_turns({"example": works.example}, 2 if quick else 4, clock)["example"] / STAND_IN
    prompts = by_turns({"cut": works.cut_prompt, "whole": works.whole_prompt}, rounds, clock)
    cached = by_turns({"cached": works.cached_epoch}, rounds, clock)["cached"]
    # Once: its two parts have run before, and it is long enough to be steady.
    encoded = by_turns({"encoded": works.encoded_step}, 1, clock)["encoded"]
    image = maps["ours"] / BATCH
    found = [
        Line(PLAIN, image, maps["plain"] / BATCH, 1),
        Line(EXAMPLE, image, example, 5),
        Line("training step on cached features, against encoding", cached, encoded, 50),
        Line(
            "prompt cut to its length, against the whole context", prompts["cut"], prompts["whole"]
        ),
    ]
    if has_bfloat16("cpu"):
        half = halved(works, "cpu", BATCH, clock)["predict"]
        found += [
            Line(PLAIN, half, maps["plain"] / BATCH, 1, "bfloat16"),
            Line(EXAMPLE, half, example, 5, "bfloat16"),
        ]
    return found


def halved(works: Works, device: str, batch: int, clock: Callable[[], float]) -> dict[str, float]:
    """Seconds an image, of a plain encode and of prediction and map, in bfloat16 on a device."""
    model = deepcopy(works.backbone.model).to(device).to(torch.bfloat16)
    inputs = works.inputs.repeat(ceil(batch / STEP), 1, 1, 1)[:batch].to(device)
    direction = works.direction.to(device)
    packed = packed_blocks(model) if device == "cpu" else None

    def wait() -> None:
        if device != "cpu":
            torch.cuda.synchronize()

    def encode() -> None:
        with torch.no_grad():
            model.encode_image(inputs.bfloat16())
        wait()

    def predict() -> None:
        margin_maps(model, inputs, direction, packed)
        wait()

    found = by_turns({"encode": encode, "predict": predict}, 4, clock)
    return {name: seconds / batch for name, seconds in found.items()}


def gpu_line(works: Works) -> dict[str, float] | str:
    """Images a second of prediction and map, and their share of the plain bfloat16 encode."""
    if not (torch.cuda.is_available() and has_bfloat16("cuda")):
        return "not measured"
    found = halved(works, "cuda", 256, time.perf_counter)
    return {
        "images_per_second": 1 / found["predict"],
        "share_of_plain_bfloat16_encode": found["encode"] / found["predict"],
    }


def absolute(works: Works, *, quick: bool) -> dict[str, float]:
    """Wall-clock seconds on all cores: an image by each way, and an overlay."""
    torch.set_num_threads(os.cpu_count() or 1)
    found = by_turns(
        {
            "encode": works.encode,
            "predict": works.predict,
            "example": works.example,
        },
        2 if quick else 4,
        time.perf_counter,
    )
    cam = np.random.default_rng(4).normal(size=(14, 14))
    drawn = by_turns(
        {"overlay": lambda: render_overlay(cam, 600, 450, scale=2.0)}, 9, time.perf_counter
    )
    return {
        "encode": found["encode"] / BATCH,
        "predict": found["predict"] / BATCH,
        "example": found["example"] / STAND_IN,
        "overlay": drawn["overlay"],
    }


def reached_in(found: list[Line]) -> dict[str, list[str]]:
    """Give the precisions that reach each goal; none is a goal that was missed."""
    goals: dict[str, list[str]] = {line.name: [] for line in found if line.asked}
    for line in found:
        if line.asked and line.ratio >= line.asked:
            goals[line.name].append(line.precision)
    return goals


def training_hours(image: float, step_seconds: float, views: int) -> float:
    """Extrapolate the paper's training: encoding every view once, and every epoch's steps.

    From seconds of one thread, shared out evenly over the cores.
    """
    steps = PAPER_EPOCHS * ceil(PAPER_IMAGES / STEP)
    return (views * PAPER_IMAGES * image + steps * step_seconds) / 3600 / (os.cpu_count() or 1)


def processor() -> str:
    """Name of the processor, where Linux tells it."""
    try:
        found = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("model name\t: ")[1]
        return found.splitlines()[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def code_version() -> str:
    """Version and commit."""
    commit = subprocess.run(  # noqa: S603 - our own command
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return f"reread {version('reread')} ({commit or 'no commit'})"


def main() -> None:
    """Print the table and the JSON line."""
    parser = argparse.ArgumentParser(description="How fast the model is.")
    parser.add_argument("--quick", action="store_true", help="one round each: for development")
    quick = parser.parse_args().quick
    works = Works(random_vit())
    print(
        f"{code_version()}; torch {torch.__version__}; {processor()}, {os.cpu_count()} cores; "
        f"load average {os.getloadavg()[0]:.1f}"
    )
    found = lines(works, quick=quick)
    print(f"{'one thread, processor time':63} {'ours (s)':>9} {'base (s)':>9} {'ratio':>6} asked")
    for line in found:
        asked = f"{line.asked:5.0f}" if line.asked else "    -"
        times = f"{line.ours:9.4f} {line.baseline:9.4f} {line.ratio:6.2f}"
        print(f"{line.name:54} {line.precision:8} {times} {asked}")
    seconds = absolute(works, quick=quick)
    print(f"{os.cpu_count()} threads, wall clock; load average {os.getloadavg()[0]:.1f}")
    print(
        f"  an image: plain encode {seconds['encode'] * 1e3:.0f} ms, prediction and map "
        f"{seconds['predict'] * 1e3:.0f} ms, pytorch-grad-cam's example "
        f"{seconds['example'] * 1e3:.0f} ms; overlay of 600 x 450 {seconds['overlay'] * 1e3:.1f} ms"
    )
    maps, _, training, *_ = found
    hours = {f"{k} views": training_hours(maps.baseline, training.ours, k) for k in VIEWS} | {
        "encoding in every step": training_hours(0, training.baseline, 0)
    }
    print("100 epochs x 5,038 images, extrapolated from the plain encode and the steps above:")
    for name, taken in hours.items():
        print(f"  {name}: {taken:.1f} h on {os.cpu_count()} cores")
    ratios = {f"{line.name}, {line.precision}": round(line.ratio, 3) for line in found}
    reached = reached_in(found)
    wall = {
        "plain encode": round(seconds["encode"] / seconds["predict"], 3),
        "pytorch-grad-cam's CLIP example": round(seconds["example"] / seconds["predict"], 3),
    }
    summary = {
        "ratios": ratios,
        "ratios_wall_clock_all_cores": wall,
        "hours": hours,
        "gpu": gpu_line(works),
        "reached_in": reached,
        "holds": all(reached.values()),
    }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
