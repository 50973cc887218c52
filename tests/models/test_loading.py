"""F11 and S2: only the very weights that the record names are loaded."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from models import backbone_sources
from models.backbone import build, open_backbone
from models.backbone_record import BackboneRecord, backbone_record
from models.backbone_sources import fetch_pretrained, record_of_file, record_of_tag
from models.description import DEFAULT_FOLDER, describe
from models.errors import (
    BackboneMismatchError,
    ModelError,
    ModelRecordError,
    WeightsDamagedError,
    WeightsMissingError,
)
from models.predict import Predictor
from models.record import sha256_of
from tests.models.conftest import random_record

WEIGHTS = ("backbone.safetensors", "prompt.safetensors")


def edit(file: Path, change: dict[str, Any]) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | change))


def test_the_shipped_model_is_described_as_a_demonstration() -> None:
    description = describe()
    assert description.demonstration
    assert description.positive_class == "BCC"
    assert description.map_grid == (14, 14)
    assert "never seen a patient" in description.card
    assert sha256_of(DEFAULT_FOLDER / "backbone.safetensors") in description.card


def test_description_and_predictor_agree(shipped: Predictor) -> None:
    assert shipped.description == describe()


def test_the_shipped_weights_are_small() -> None:
    assert sum((DEFAULT_FOLDER / name).stat().st_size for name in WEIGHTS) <= 12_000_000


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("load", [describe, Predictor.load])
def test_f11_one_flipped_byte_is_refused_naming_both_hashes(
    model_copy: Path, name: str, load: Callable[[Path], object]
) -> None:
    file = model_copy / name
    expected = sha256_of(file)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(WeightsDamagedError) as refusal:
        load(model_copy)
    assert expected in str(refusal.value)
    assert sha256_of(file) in str(refusal.value)


@pytest.mark.parametrize("name", WEIGHTS)
def test_f11_truncated_weights_are_refused(model_copy: Path, name: str) -> None:
    file = model_copy / name
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(WeightsDamagedError, match="expected SHA-256"):
        Predictor.load(model_copy)


@pytest.mark.parametrize("name", [*WEIGHTS, "model.json", "backbone.json", "CARD.md"])
def test_f11_a_missing_file_is_refused_by_name(model_copy: Path, name: str) -> None:
    (model_copy / name).unlink()
    with pytest.raises(WeightsMissingError):
        describe(model_copy)


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\udcff"])
def test_an_unreadable_record_is_refused(model_copy: Path, content: str) -> None:
    (model_copy / "model.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(ModelError):
        describe(model_copy)


def test_s2_a_pickle_named_as_weights_is_refused_and_never_run(model_copy: Path) -> None:
    canary = model_copy / "canary"

    class Malicious:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (canary,)

    file = model_copy / "backbone.safetensors"
    file.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(WeightsDamagedError):
        Predictor.load(model_copy)
    # Even when the record names the pickle's own hash.
    record = backbone_record(model_copy)
    with pytest.raises(WeightsDamagedError, match="no safetensors file"):
        open_backbone(replace(record, weights_sha256=sha256_of(file)), model_copy)
    (model_copy / "weights.pt").write_bytes(file.read_bytes())
    with pytest.raises(WeightsDamagedError, match="carry code"):
        open_backbone(replace(record, weights_file="weights.pt"), model_copy)
    assert not canary.exists()


def test_quickgelu_weights_on_a_gelu_architecture_are_refused(tmp_path: Path) -> None:
    record = random_record(tmp_path, quick_gelu=True)
    assert record.config is not None
    gelu = replace(record, config=record.config | {"quick_gelu": False})
    with pytest.raises(BackboneMismatchError, match="silently wrong"):
        open_backbone(gelu, tmp_path)


def test_openai_weights_need_the_quickgelu_name() -> None:
    record = BackboneRecord(
        name="ViT-B-16",
        config=None,
        activation="quick_gelu",  # what open_clip states of the tag "openai"
        preprocessing=backbone_record(DEFAULT_FOLDER).preprocessing,
        words=None,
        weights_file=None,
        pretrained="openai",
        weights_sha256="0" * 64,
    )
    with torch.device("meta"), pytest.raises(BackboneMismatchError, match="-quickgelu"):
        build(record)


def test_a_record_that_contradicts_the_weights_file_is_refused(model_copy: Path) -> None:
    file = model_copy / "backbone.json"
    normalisation = json.loads(file.read_text())["normalisation"]
    edit(file, {"normalisation": normalisation | {"mean": [0.5, 0.5, 0.5]}})
    with pytest.raises(BackboneMismatchError, match="preprocessing"):
        Predictor.load(model_copy)


def test_f11_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    record = random_record(tmp_path, quick_gelu=False)
    assert record.config is not None
    wider = record.config | {"embed_dim": 64}
    with pytest.raises(BackboneMismatchError, match="does not fit"):
        open_backbone(replace(record, config=wider), tmp_path)


def test_an_unknown_activation_in_the_record_is_refused(model_copy: Path) -> None:
    edit(model_copy / "backbone.json", {"activation": "relu"})
    with pytest.raises(ModelRecordError, match="relu"):
        describe(model_copy)


def test_a_prompt_file_without_its_tensors_is_refused(model_copy: Path) -> None:
    file = model_copy / "prompt.safetensors"
    save_file({"context": load_file(file)["context"]}, file)
    edit(model_copy / "model.json", {"prompt_sha256": sha256_of(file)})
    with pytest.raises(WeightsDamagedError, match="logit_scale"):
        Predictor.load(model_copy)


def test_an_unknown_open_clip_name_and_a_convolutional_one_are_refused() -> None:
    record = backbone_record(DEFAULT_FOLDER)
    with pytest.raises(BackboneMismatchError, match="knows no model"):
        build(replace(record, name="ViT-of-nowhere", config=None))
    with pytest.raises(BackboneMismatchError, match="no plain vision transformer"):
        build(replace(record, name="RN50", config=None))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("coca_ViT-B-32", "third encoder"),
        ("roberta-ViT-B-32", "text encoder comes from another library"),
        ("ViT-B-16-SigLIP", "no plain vision transformer"),
        ("ViT-L-14-CLIPA", "class token alone"),
        ("ViT-L-14-worldwide", "end token under a causal mask"),
    ],
)
def test_architectures_that_read_their_tokens_otherwise_are_refused(name: str, reason: str) -> None:
    record = replace(backbone_record(DEFAULT_FOLDER), name=name, config=None)
    with torch.device("meta"), pytest.raises(BackboneMismatchError, match=reason):
        build(record)


@pytest.mark.parametrize(
    ("vision", "reason"),
    [
        ({"pool_type": "avg"}, "class token alone"),
        ({"attentional_pool": True}, "class token alone"),
        ({"block_type": "custom"}, "attention of a kind of its own"),
        ({"qk_norm": True}, "attention of a kind of its own"),
        ({"layers": (1, 1, 1, 1)}, "no plain vision transformer"),
    ],
)
def test_a_configuration_of_another_kind_is_refused(vision: dict[str, object], reason: str) -> None:
    record = backbone_record(DEFAULT_FOLDER)
    assert record.config is not None
    changed = record.config | {"vision_cfg": record.config["vision_cfg"] | vision}
    with pytest.raises(BackboneMismatchError, match=reason):
        build(replace(record, config=changed))


def test_an_open_clip_name_with_a_local_file_opens(tmp_path: Path) -> None:
    # A built-in name whose configuration is replaced by a tiny one: the same path as
    # ViT-B-16-quickgelu with a downloaded file, at a thousandth of the weights.
    tiny_record = random_record(tmp_path, quick_gelu=True)
    record = record_of_file(
        "ViT-B-16-quickgelu", tmp_path / "random.safetensors", activation="quick_gelu"
    )
    assert record.preprocessing.mean == pytest.approx((0.4815, 0.4578, 0.4082), abs=1e-4)
    opened = open_backbone(
        replace(
            record,
            config=tiny_record.config,
            words=tiny_record.words,
            preprocessing=replace(record.preprocessing, image_size=64),
        ),
        tmp_path / "elsewhere",
    )
    assert not opened.model.training
    assert not any(weight.requires_grad for weight in opened.model.parameters())


def test_a_pretrained_tag_is_fetched_and_its_hash_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "fetched.safetensors"
    file.write_bytes(b"fetched")

    def fetch(_: object) -> str:
        return str(file)

    monkeypatch.setattr(backbone_sources, "download_pretrained", fetch)
    record = record_of_tag("ViT-B-16-quickgelu", "openai")
    assert record.activation == "quick_gelu"
    assert record.weights_sha256 == sha256_of(file)
    with pytest.raises(WeightsMissingError, match="no weights 'of-nobody'"):
        fetch_pretrained("ViT-B-16", "of-nobody")


def test_without_a_network_the_refusal_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(backbone_sources, "download_pretrained", fail)
    with pytest.raises(WeightsMissingError, match="connect this machine"):
        record_of_tag("ViT-B-16-quickgelu", "openai")
