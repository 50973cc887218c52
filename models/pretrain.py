"""Pre-train the small CLIP on generated pairs: `python -m models.pretrain --out FOLDER`.

Contrastive learning of Radford et al. 2021 (arXiv:2103.00020, figure 3), with half of the
patches dropped while training as in Li et al. 2023 (FLIP, arXiv:2212.00794): twice the
pictures in the same time; the last epoch sees whole pictures again, as the model will.
Interrupted runs go on from their last finished epoch.
"""

# ruff: noqa: T201 a command line prints
# open_clip ships no types, and torch leaves parts of its interface untyped.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from open_clip.loss import ClipLoss
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.backbone import metadata_for
from models.backbone_sources import Colours
from models.clip import Clip
from models.preprocess import Preprocessing
from models.pretraining_data import augmented, batches, captions, labels
from models.probe import area_under_curve
from models.record import sha256_of, write_record
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
    validation_images: int = 400
    threads: int = 2


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


def optimiser_for(model: Clip, config: PretrainConfig) -> torch.optim.AdamW:
    """AdamW; gains, offsets and the logit scale are not decayed."""
    decayed = [p for p in model.parameters() if p.ndim >= 2]  # noqa: PLR2004 matrices
    free = [p for p in model.parameters() if p.ndim < 2]  # noqa: PLR2004
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


def prepare(config: PretrainConfig, work: Path) -> Materials:
    """Paint the pictures and build the model."""
    pixels = painted(config.seed, config.images, config.painted_size, work)
    architecture = json.loads(ARCHITECTURE.read_text())
    training_architecture = copy.deepcopy(architecture)
    training_architecture["vision_cfg"]["patch_dropout"] = config.patch_dropout
    model = cast("Clip", open_clip.CLIP(**training_architecture))
    tokenizer = WordTokenizer(tuple(caption_words()), model.vocab_size, model.context_length)
    size = int(architecture["vision_cfg"]["image_size"])
    return Materials(
        model, tokenizer, Preprocessing(size, *normalisation_of(pixels)), pixels, architecture
    )


def batch_loss(
    parts: Materials, inputs: npt.NDArray[np.float32], texts: list[str], *, bfloat16: bool
) -> Tensor:
    """Contrastive loss of one batch of prepared pictures (B, 3, S, S) and their captions."""
    # On a CPU the fused attention's backward pass is slower than plain matrix products.
    with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        images = parts.model.encode_image(torch.from_numpy(inputs), normalize=True)  # (B, D)
        captioned = parts.model.encode_text(parts.tokenizer(texts), normalize=True)  # (B, D)
    return ClipLoss()(images.float(), captioned.float(), parts.model.logit_scale.exp())


def train(config: PretrainConfig, work: Path) -> tuple[Clip, dict[str, Any]]:
    """Paint, then train; returns the model and the record of the run."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    started = time.monotonic()
    parts = prepare(config, work)
    model, preprocessing = parts.model, parts.preprocessing
    held_out = painted(VALIDATION_SEED, config.validation_images, preprocessing.image_size, work)
    painting_seconds = time.monotonic() - started
    print(f"painted {config.images} images in {painting_seconds:.0f} s", flush=True)

    check = torch.from_numpy(preprocessing.normalise(held_out))  # (N, 3, S, S)
    truth = labels(VALIDATION_SEED, config.validation_images)
    optimiser = optimiser_for(model, config)
    progress = work / f"progress-{config.seed}.safetensors"
    finished = load_progress(progress, model, optimiser)
    steps_per_epoch = config.images // config.batch_size
    bfloat16 = supports_fast_bfloat16()
    training_started = time.monotonic()
    aucs: list[float] = []
    for epoch in range(finished, config.epochs):
        if epoch >= config.epochs - config.whole_picture_epochs:
            model.visual.patch_dropout.prob = 0.0
        rng = np.random.default_rng([config.seed, 77, epoch])
        losses: list[float] = []
        for number, chosen in enumerate(batches(config.images, config.batch_size, rng)):
            step = epoch * steps_per_epoch + number
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step, config.epochs * steps_per_epoch)
            inputs = preprocessing.normalise(
                augmented(parts.pixels[chosen], preprocessing.image_size, rng)
            )  # (B, 3, S, S)
            texts = captions(config.seed, chosen, epoch)
            loss = batch_loss(parts, inputs, texts, bfloat16=bfloat16)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(100))
            losses.append(loss.item())
            if step % 50 == 0:
                minutes = (time.monotonic() - training_started) / 60
                print(f"step {step}, loss {losses[-1]:.3f}, {minutes:.1f} minutes", flush=True)
        save_progress(progress, model, optimiser, epoch + 1)
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
            "generator": GENERATOR_VERSION,
            "painting_seconds": round(painting_seconds),
            "training_seconds": round(time.monotonic() - training_started),
            "resumed_after_epochs": finished,
            "bfloat16": bfloat16,
            "validation_zero_shot_auc": [round(value, 4) for value in aucs],
        },
    }


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
    parser.add_argument("--seed", type=int, default=PretrainConfig.seed)
    parser.add_argument("--images", type=int, default=PretrainConfig.images)
    parser.add_argument("--epochs", type=int, default=PretrainConfig.epochs)
    chosen = parser.parse_args()
    config = PretrainConfig(seed=chosen.seed, images=chosen.images, epochs=chosen.epochs)
    model, record = train(config, chosen.work)
    save_backbone(model, record, chosen.out)
    print(json.dumps(record["pretraining"], indent=2))


if __name__ == "__main__":
    main()
