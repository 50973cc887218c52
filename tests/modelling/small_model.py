"""A complete model folder in little: random weights, 64 pixels, so that a test runs quickly."""

import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file

from models.description import DEFAULT_FOLDER
from models.record import sha256_of
from tests.models.conftest import random_record

GRID = 4


def write_small_model(folder: Path) -> Path:
    folder.mkdir()
    record = random_record(folder, quick_gelu=True)
    (folder / "backbone.json").write_text(json.dumps(replace(record).as_json()))
    context = torch.randn(4, 48, generator=torch.Generator().manual_seed(3)) * 0.02
    prompt = folder / "prompt.safetensors"
    save_file({"context": context, "logit_scale": torch.tensor(60.0)}, prompt)
    model = json.loads((DEFAULT_FOLDER / "model.json").read_text())
    model |= {
        "name": "small-random",
        "demonstration": False,
        "map_grid": [GRID, GRID],
        "prompt_sha256": sha256_of(prompt),
    }
    for hashed in ("probe_sha256", "training_images_sha256"):  # this one has neither file
        model.pop(hashed, None)
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "CARD.md").write_text("# Random weights, for tests\n")
    return folder


def record_training_images(folder: Path, lines: list[str]) -> None:
    """Write training-images.csv, and its hash into the model's record."""
    file = folder / "training-images.csv"
    file.write_text("\n".join(["image,split,sha256,perceptual_hash,patient_sha256", *lines, ""]))
    model = json.loads((folder / "model.json").read_text())
    model["training_images_sha256"] = sha256_of(file)
    (folder / "model.json").write_text(json.dumps(model))
