"""Pre-train the small CLIP on generated pairs: `python -m models.pretrain --out FOLDER`.

Contrastive learning of Radford et al. 2021 (arXiv:2103.00020, figure 3), with half of the
patches dropped while training as in Li et al. 2023 (FLIP, arXiv:2212.00794): twice the
pictures in the same time; the last epoch sees whole pictures again, as the model will.
With `--phrases`, each picture is also compared with short phrases that hold for it or do not.
Interrupted runs go on from their last finished epoch; `--start-from` begins another run, with
other pictures and a schedule of its own, at the weights of one that is finished.
"""

# ruff: noqa: T201 a command line prints
# open_clip ships no types, and torch leaves parts of its interface untyped.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
import argparse
import copy
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from open_clip.loss import ClipLoss
from PIL import Image
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.backbone import load_weights, metadata_for
from models.backbone_record import backbone_record
from models.backbone_sources import Colours, weights_path
from models.clip import Clip
from models.phrases import PhraseLoss, Phrases, phrases
from models.preprocess import Preprocessing
from models.pretraining_data import augmented, batches, captions, labels
from models.probe import area_under_curve
from models.record import read_record, sha256_of, write_record
from models.side_by_side import Process, joined
from models.synthetic import GENERATOR_VERSION
from models.synthetic.captions import caption_words
from models.synthetic.series import Pixels, painted
from models.tensor_files import write_tensors
from models.tokenizer import WordTokenizer
from models.training_progress import load_progress, save_progress

ARCHITECTURE = Path(__file__).parent / "small_clip.json"
VALIDATION_SEED = 9002


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of one pre-training run."""

    seed: int = 9001
    images: int = 16_000
    painted_size: int = 240  # crops of the network's 224 are taken from it
    epochs: int = 7
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up_steps: int = 100
    patch_dropout: float = 0.5
    whole_picture_epochs: int = 1  # at the end, without dropping patches
    phrases: bool = False  # learn from short phrases too, beside the captions
    resized_share: float = 0.0  # of the pictures: made smaller as the model will see them
    validation_images: int = 1000
    threads: int = 2


ON_THE_COMMAND_LINE = (
    *("seed", "images", "epochs", "batch_size", "learning_rate", "resized_share"),
    *("validation_images", "threads"),
)


def supports_fast_bfloat16() -> bool:
    """Whether this CPU has units for bfloat16; without them it is several times slower."""
    capability = torch.cpu.get_capabilities()
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))


def learning_rate(config: PretrainConfig, step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to zero."""
    if step < config.warm_up_steps:
        return config.learning_rate * (step + 1) / config.warm_up_steps
    done = (step - config.warm_up_steps) / max(1, steps - config.warm_up_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))


def optimiser_for(parameters: Sequence[nn.Parameter], config: PretrainConfig) -> torch.optim.AdamW:
    """AdamW; gains, offsets and scales are not decayed."""
    decayed = [p for p in parameters if p.ndim >= 2]  # noqa: PLR2004 matrices
    free = [p for p in parameters if p.ndim < 2]  # noqa: PLR2004
    groups = [{"params": decayed}, {"params": free, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
    )


def normalisation_of(pixels: Pixels) -> tuple[Colours, Colours]:
    """Mean and deviation of each colour over up to 500 pictures, in [0, 1]."""
    some = pixels[:500].reshape(-1, 3).astype(np.float64) / 255
    red, green, blue = (
        (round(float(mean), 6), round(float(std), 6))
        for mean, std in zip(some.mean(axis=0), some.std(axis=0), strict=True)
    )
    return (red[0], green[0], blue[0]), (red[1], green[1], blue[1])


@torch.inference_mode()
def zero_shot_auc(
    model: Clip, tokenizer: WordTokenizer, inputs: Tensor, truth: npt.NDArray[np.int64]
) -> float:
    """Area under the curve of the two names alone, on prepared images (N, 3, S, S)."""
    model.eval()
    texts = tokenizer(["basal cell carcinoma", "seborrheic keratosis"])
    text_features = model.encode_text(texts, normalize=True)  # (2, D)
    scores: list[Tensor] = []
    for part in torch.split(inputs, 100):
        similarity = model.encode_image(part, normalize=True) @ text_features.T  # (B, 2)
        scores.append(similarity[:, 0] - similarity[:, 1])
    model.train()
    return area_under_curve(torch.cat(scores).numpy(), truth)


@dataclass(frozen=True)
class Materials:
    """What one run trains: model, pictures, words and how pictures are prepared."""

    model: Clip
    tokenizer: WordTokenizer
    preprocessing: Preprocessing
    pixels: Pixels  # (N, S, S, 3)
    architecture: dict[str, Any]
    phrase_loss: PhraseLoss = field(default_factory=PhraseLoss)


def prepare(config: PretrainConfig, work: Path, start: Path | None) -> Materials:
    """Paint the pictures and build the model, with the weights of the folder `start` if named."""
    pixels = painted(config.seed, config.images, config.painted_size, work)
    architecture = json.loads(ARCHITECTURE.read_text())
    training_architecture = copy.deepcopy(architecture)
    training_architecture["vision_cfg"]["patch_dropout"] = config.patch_dropout
    model = cast("Clip", open_clip.CLIP(**training_architecture))
    tokenizer = WordTokenizer(tuple(caption_words()), model.vocab_size, model.context_length)
    if start is None:
        size = int(architecture["vision_cfg"]["image_size"])
        preprocessing = Preprocessing(size, *normalisation_of(pixels))
    else:
        record = backbone_record(start)
        load_weights(model, weights_path(record, start), record)
        preprocessing = record.preprocessing
    return Materials(model, tokenizer, preprocessing, pixels, architecture)


def batch_loss(
    parts: Materials,
    inputs: npt.NDArray[np.float32],
    texts: list[str],
    asked: Phrases | None,
    *,
    bfloat16: bool,
) -> Tensor:
    """Loss of one batch of prepared pictures (B, 3, S, S): with captions, and with phrases."""
    further = () if asked is None else asked.texts
    # On a CPU the fused attention's backward pass is slower than plain matrix products.
    with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        images = parts.model.encode_image(torch.from_numpy(inputs), normalize=True)  # (B, D)
        tokens = parts.tokenizer([*texts, *further])
        worded = parts.model.encode_text(tokens, normalize=True)  # (B + K, D)
    images, worded = images.float(), worded.float()
    captioned, phrased = worded[: len(texts)], worded[len(texts) :]
    loss: Tensor = ClipLoss()(images, captioned, parts.model.logit_scale.exp())
    if asked is not None:
        truth = torch.from_numpy(asked.truth).float()  # (B, K)
        loss = loss + parts.phrase_loss(images, phrased, truth)
    return loss


def train(
    config: PretrainConfig, work: Path, start: Path | None, process: Process
) -> tuple[Clip, dict[str, Any]]:
    """Paint, then train; returns the model and the record of the run.

    `start` is the folder of an earlier pre-training to go on from, by a schedule of its own.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    started = time.monotonic()
    with process.first_before_others():  # they share one file, painted once
        parts = prepare(config, work, start)
        held_out = painted(VALIDATION_SEED, config.validation_images, config.painted_size, work)
    torch.manual_seed(config.seed + process.rank)  # which patches are dropped
    model, preprocessing = parts.model, parts.preprocessing
    painting_seconds = time.monotonic() - started
    print(f"painted {config.images} images in {painting_seconds:.0f} s", flush=True)

    check = torch.from_numpy(preprocessing([Image.fromarray(picture) for picture in held_out]))
    truth = labels(VALIDATION_SEED, config.validation_images)
    trained = [*model.parameters(), *(parts.phrase_loss.parameters() if config.phrases else ())]
    optimiser = optimiser_for(trained, config)
    progress = work / f"progress-{config.seed}.safetensors"
    finished = load_progress(progress, model, parts.phrase_loss, optimiser)
    steps_per_epoch = config.images // config.batch_size
    bfloat16 = supports_fast_bfloat16()
    training_started = time.monotonic()
    aucs: list[float] = []
    for epoch in range(finished, config.epochs):
        if epoch >= config.epochs - config.whole_picture_epochs:
            model.visual.patch_dropout.prob = 0.0
        order = np.random.default_rng([config.seed, 77, epoch])
        rng = np.random.default_rng([config.seed, 78, epoch, process.rank])
        losses: list[float] = []
        for number, batch in enumerate(batches(config.images, config.batch_size, order)):
            chosen = batch[process.rank :: process.count]
            step = epoch * steps_per_epoch + number
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step, config.epochs * steps_per_epoch)
            views = augmented(
                parts.pixels[chosen],
                preprocessing.image_size,
                rng,
                resized_share=config.resized_share,
            )
            inputs = preprocessing.normalise(views)  # (B, 3, S, S)
            texts = captions(config.seed, chosen, epoch)
            asked = phrases(config.seed, chosen, rng) if config.phrases else None
            loss = batch_loss(parts, inputs, texts, asked, bfloat16=bfloat16)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            process.average_gradients(trained)
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(100))
            losses.append(loss.item())
            if step % 25 == 0 and process.first:
                minutes = (time.monotonic() - training_started) / 60
                print(f"step {step}, loss {losses[-1]:.3f}, {minutes:.1f} minutes", flush=True)
        if not process.first:
            continue
        save_progress(progress, model, parts.phrase_loss, optimiser, epoch + 1)
        aucs.append(zero_shot_auc(model, parts.tokenizer, check, truth))
        loss_mean = float(np.mean(losses))
        print(f"epoch {epoch + 1}: {loss_mean:.3f}, zero-shot AUC {aucs[-1]:.3f}", flush=True)
    return model, {
        "architecture": {"name": "reread-small-clip", "config": parts.architecture},
        "activation": "quick_gelu" if parts.architecture["quick_gelu"] else "gelu",
        "normalisation": {
            "image_size": preprocessing.image_size,
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
        },
        "tokenizer": {"words": list(parts.tokenizer.words)},
        "pretraining": {
            **asdict(config),
            "processes": process.count,
            "generator": GENERATOR_VERSION,
            "painting_seconds": round(painting_seconds),
            "training_seconds": round(time.monotonic() - training_started),
            "resumed_after_epochs": finished,
            "bfloat16": bfloat16,
            "validation_zero_shot_auc": [round(value, 4) for value in aucs],
            "started_from": start and _lineage(start),
        },
    }


def _lineage(start: Path) -> dict[str, Any]:
    """Say which weights a run started from, and how those were made."""
    record = read_record(start / "backbone.json")
    return {"weights_sha256": record["weights"]["sha256"], "pretraining": record["pretraining"]}


def save_backbone(model: Clip, record: dict[str, Any], folder: Path) -> None:
    """Write backbone.safetensors in half precision (half the size) and backbone.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "backbone.safetensors"
    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    normalisation = record["normalisation"]
    preprocessing = Preprocessing(
        normalisation["image_size"], tuple(normalisation["mean"]), tuple(normalisation["std"])
    )
    write_tensors(file, half, metadata_for(record["activation"], preprocessing))
    record["weights"] = {"file": file.name, "sha256": sha256_of(file), "stored_as": "float16"}
    write_record(folder / "backbone.json", record)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Pre-train the small CLIP on generated images.")
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished backbone")
    parser.add_argument("--work", type=Path, required=True, help="folder of images and progress")
    parser.add_argument("--start-from", type=Path, help="folder of an earlier pre-training")
    parser.add_argument("--phrases", action="store_true", help="learn from short phrases too")
    for name, default in asdict(PretrainConfig()).items():
        if name in ON_THE_COMMAND_LINE:
            kind = float if isinstance(default, float) else int
            parser.add_argument(f"--{name.replace('_', '-')}", type=kind, default=default)
    chosen = parser.parse_args()
    numbers = {name: getattr(chosen, name) for name in ON_THE_COMMAND_LINE}
    config = PretrainConfig(phrases=chosen.phrases, **numbers)
    with joined() as process:
        model, record = train(config, chosen.work, chosen.start_from, process)
        if process.first:
            save_backbone(model, record, chosen.out)
            print(json.dumps(record["pretraining"], indent=2))


if __name__ == "__main__":
    main()
