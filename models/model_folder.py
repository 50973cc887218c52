"""A finished model folder: backbone (or where it lies), prompt, probe. Records come beside it."""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from models.backbone import metadata_for
from models.backbone_record import BackboneRecord
from models.fit import Learned
from models.preprocess import Preprocessing
from models.record import read_record, sha256_of, write_record
from models.tensor_files import read_tensors, write_tensors


def write_learned(folder: Path, learned: Learned) -> dict[str, str]:
    """Write prompt.safetensors and probe.safetensors; returns their hashes for model.json."""
    prompt, probe = folder / "prompt.safetensors", folder / "probe.safetensors"
    # The scale lies in the hashed file: changing it would change every probability.
    context = {"context": learned.context, "logit_scale": torch.tensor(learned.scale)}
    write_tensors(prompt, context)
    weight = torch.from_numpy(learned.probe.weight)
    write_tensors(probe, {"weight": weight, "bias": torch.tensor(learned.probe.bias)})
    return {"prompt_sha256": sha256_of(prompt), "probe_sha256": sha256_of(probe)}


def write_backbone(
    folder: Path, record: BackboneRecord, source: Path, preprocessing: Preprocessing
) -> dict[str, Any]:
    """Write backbone.json, and copy the weights where `source`, a folder, holds them.

    An absolute weights file and a pretrained tag stay where they are and are named with their
    hash. A file of our own says how it was trained; another normalisation is written into the
    copy, as a choice that was made, or loading would refuse it.
    """
    kept: dict[str, Any] = {}
    if record.weights_file is not None and not Path(record.weights_file).is_absolute():
        kept = read_record(source / "backbone.json")
        target = folder / record.weights_file
        if preprocessing == record.preprocessing:
            shutil.copyfile(source / record.weights_file, target)
        else:
            tensors, metadata = read_tensors(source / record.weights_file)
            said = metadata_for(record.activation, preprocessing)
            pretrained = {"pretrained_with": metadata.get("preprocessing", "not said")}
            write_tensors(target, tensors, metadata | said | pretrained)
        record = replace(record, weights_sha256=sha256_of(target))
    record = replace(record, preprocessing=preprocessing)
    stated = record.as_json()
    stated["weights"] = kept.get("weights", {}) | stated["weights"]
    write_record(folder / "backbone.json", kept | stated)
    return kept | stated
