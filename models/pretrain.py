"""Pre-train the small CLIP on generated pairs: `python -m models.pretrain --out FOLDER`.

Contrastive learning of Radford et al. 2021 (arXiv:2103.00020, figure 3), with half of the
patches dropped while training as in Li et al. 2023 (FLIP, arXiv:2212.00794): twice the
pictures in the same time. Interrupted runs go on from their last finished epoch.
"""

# ruff: noqa: T201 a command line prints
import argparse
import copy
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import open_clip
import torch
from open_clip.loss import ClipLoss
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from models.backbone import metadata_for
from models.clip import Clip
from models.preprocess import Preprocessing
from models.pretraining_data import augmented, batches, captions, labels
from models.probe import area_under_curve
from models.record import sha256_of, write_record
from models.synthetic.captions import caption_words
from models.synthetic.series import Pixels, painted
from models.tokenizer import WordTokenizer

ARCHITECTURE = Path(__file__).parent / "small_clip.json"
VALIDATION_SEED = 9002


@dataclass(frozen=True)
class PretrainConfig:
    """Settings of one pre-training run."""

    seed: int = 9001
    images: int = 12_000
    painted_size: int = 240  # crops of the network's 224 are taken from it
    epochs: int = 6
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warm_up_steps: int = 100
    patch_dropout: float = 0.5
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


def save_progress(file: Path, model: Clip, optimiser: torch.optim.AdamW, epoch: int) -> None:
    """Write weights and optimiser moments, so that a run can go on after `epoch` epochs."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    for number, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": value for name, value in state.items()}
    save_file(tensors, file.with_suffix(".part"), metadata={"epoch": str(epoch)})
    file.with_suffix(".part").rename(file)


def load_progress(file: Path, model: Clip, optimiser: torch.optim.AdamW) -> int:
    """Read what save_progress wrote; returns the number of finished epochs, 0 without a file."""
    if not file.exists():
        return 0
    weights: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    with safe_open(file, framework="pt") as stream:
        for key in stream.keys():  # noqa: SIM118 safe_open is no mapping
            kind, name = key.split(".", 1)
            if kind == "model":
                weights[name] = stream.get_tensor(key)
            else:
                number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = stream.get_tensor(key)
        epoch = int(stream.metadata()["epoch"])
    model.load_state_dict(weights)
    optimiser.load_state_dict(optimiser.state_dict() | {"state": moments})
    return epoch


def normalisation_of(pixels: Pixels) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each colour over up to 500 pictures, in [0, 1]."""
    some = pixels[:500].reshape(-1, 3).astype(np.float64) / 255
    mean, std = some.mean(axis=0).round(6), some.std(axis=0).round(6)
    return tuple(mean.tolist()), tuple(std.tolist())


@torch.inference_mode()
def zero_shot_auc(
    model: Clip, tokenizer: WordTokenizer, inputs: Tensor, truth: Tensor
) -> float:
    """Area under the curve of the two names alone, on prepared images (N, 3, S, S)."""
    model.eval()
    texts = tokenizer(["basal cell carcinoma", "seborrheic keratosis"])
    text_features = model.encode_text(texts, normalize=True)  # (2, D)
    scores: list[Tensor] = []
    for part in inputs.split(100):
        similarity = model.encode_image(part, normalize=True) @ text_features.T  # (B, 2)
        scores.append(similarity[:, 0] - similarity[:, 1])
    model.train()
    return area_under_curve(torch.cat(scores).numpy(), truth.numpy())


def train(config: PretrainConfig, work: Path) -> tuple[Clip, dict[str, Any]]:
    """Paint, then train; returns the model and the record of the run."""
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    started = time.monotonic()
    pixels = painted(config.seed, config.images, config.painted_size, work)
    held_out = painted(VALIDATION_SEED, config.validation_images, 224, work)
    painting_seconds = time.monotonic() - started
    print(f"painted {config.images} images in {painting_seconds:.0f} s", flush=True)

    architecture = json.loads(ARCHITECTURE.read_text())
    training_architecture = copy.deepcopy(architecture)
    training_architecture["vision_cfg"]["patch_dropout"] = config.patch_dropout
    model = cast("Clip", open_clip.CLIP(**training_architecture))
    tokenizer = WordTokenizer(tuple(caption_words()), model.vocab_size, model.context_length)
    mean, std = normalisation_of(pixels)
    size = architecture["vision_cfg"]["image_size"]
    preprocessing = Preprocessing(size, mean, std)  # pyright: ignore[reportArgumentType] three each
    check = torch.from_numpy(preprocessing.normalise(held_out))
    truth = torch.from_numpy(labels(VALIDATION_SEED, config.validation_images))

    optimiser = optimiser_for(model, config)
    progress = work / f"progress-{config.seed}.safetensors"
    finished = load_progress(progress, model, optimiser)
    steps_per_epoch = config.images // config.batch_size
    steps = config.epochs * steps_per_epoch
    contrastive = ClipLoss()
    bfloat16 = supports_fast_bfloat16()
    training_started = time.monotonic()
    aucs: list[float] = []
    for epoch in range(finished, config.epochs):
        rng = np.random.default_rng([config.seed, 77, epoch])
        losses: list[float] = []
        for number, chosen in enumerate(batches(config.images, config.batch_size, rng)):
            step = epoch * steps_per_epoch + number
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config, step, steps)
            inputs = preprocessing.normalise(augmented(pixels[chosen], size, rng))  # (B, 3, S, S)
            texts = tokenizer(captions(config.seed, chosen, epoch))  # (B, L)
            # On a CPU the fused attention's backward pass is slower than plain matrix products.
            with (
                sdpa_kernel(SDPBackend.MATH),
                torch.autocast("cpu", torch.bfloat16, enabled=bfloat16),
            ):
                image_features = model.encode_image(
                    torch.from_numpy(inputs), normalize=True
                )  # (B, D)
                text_features = model.encode_text(texts, normalize=True)  # (B, D)
            loss = contrastive(
                image_features.float(), text_features.float(), model.logit_scale.exp()
            )
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(max=math.log(100))
            losses.append(loss.item())
            if step % 20 == 0:
                rate = (step - finished * steps_per_epoch + 1) * config.batch_size
                rate /= time.monotonic() - training_started
                print(f"step {step}/{steps} loss {loss.item():.3f} {rate:.0f} images/s", flush=True)
        save_progress(progress, model, optimiser, epoch + 1)
        aucs.append(zero_shot_auc(model, tokenizer, check, truth))
        print(
            f"epoch {epoch + 1}: loss {np.mean(losses):.3f}, zero-shot AUC {aucs[-1]:.3f}",
            flush=True,
        )
    seconds = time.monotonic() - training_started
    record = {
        "architecture": {"name": "reread-small-clip", "config": architecture},
        "activation": "quick_gelu" if architecture["quick_gelu"] else "gelu",
        "normalisation": {"image_size": size, "mean": list(mean), "std": list(std)},
        "tokenizer": {"words": list(tokenizer.words)},
        "pretraining": {
            **asdict(config),
            "painting_seconds": round(painting_seconds),
            "training_seconds": round(seconds),
            "resumed_after_epochs": finished,
            "bfloat16": bfloat16,
            "validation_zero_shot_auc": [round(value, 4) for value in aucs],
        },
    }
    return model, record


def save_backbone(model: Clip, record: dict[str, Any], folder: Path) -> None:
    """Write backbone.safetensors in half precision (half the size) and backbone.json."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "backbone.safetensors"
    half = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    normalisation = record["normalisation"]
    preprocessing = Preprocessing(
        normalisation["image_size"], tuple(normalisation["mean"]), tuple(normalisation["std"])
    )
    save_file(half, file, metadata_for(record["activation"], preprocessing))
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
