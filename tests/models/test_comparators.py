"""Zero-shot, CoOp and the probe on the same features; the checks of the maps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from models.backbone import Backbone
from models.comparators import ComparedModel
from models.description import DEFAULT_FOLDER
from models.errors import WeightsDamagedError
from models.faithfulness import measure_placing
from models.gradcam import MarginMaps
from models.predict import Predictor
from models.record import read_record, sha256_of, write_record
from models.synthetic import generate


def put_probe(folder: Path, weight: torch.Tensor) -> None:
    """Save another probe in a model folder, with its hash in the record."""
    file = folder / "probe.safetensors"
    save_file({"weight": weight, "bias": torch.tensor(0.25)}, file)
    record = read_record(folder / "model.json")
    write_record(folder / "model.json", record | {"probe_sha256": sha256_of(file)})


@pytest.fixture(scope="module")
def compared() -> ComparedModel:
    return ComparedModel.load(DEFAULT_FOLDER, device="cpu")


def test_coop_on_cached_features_is_what_the_predictor_says(
    compared: ComparedModel, shipped: Predictor, demo_images: list[Image.Image]
) -> None:
    some = demo_images[:5]
    said = compared.margins(compared.features(some))
    expected = [made.probability_bcc for made in shipped.predict(some)]
    assert 1 / (1 + np.exp(-said.coop)) == pytest.approx(expected, abs=1e-5)


def test_zero_shot_is_clip_with_the_class_names_alone(
    compared: ComparedModel, shipped: Predictor, demo_images: list[Image.Image]
) -> None:
    model = shipped.backbone.model
    features = compared.features(demo_images[:3])
    tokens = shipped.backbone.tokenizer(("basal cell carcinoma", "seborrheic keratosis"))
    with torch.no_grad():
        text = model.encode_text(tokens, normalize=True)
    logits = model.logit_scale.exp() * torch.from_numpy(features) @ text.T
    expected = logits.softmax(dim=1)[:, 0].numpy()
    said = 1 / (1 + np.exp(-compared.margins(features).zero_shot))
    assert said == pytest.approx(expected, abs=1e-5)


def test_a_saved_probe_is_read_and_one_of_another_width_is_refused(
    model_copy: Path, demo_images: list[Image.Image]
) -> None:
    features = ComparedModel.load(model_copy, device="cpu").features(demo_images[:2])
    weight = torch.linspace(-1, 1, features.shape[1])
    put_probe(model_copy, weight)
    said = ComparedModel.load(model_copy, device="cpu").margins(features)
    expected = features @ weight.numpy() + 0.25
    assert said.linear_probe == pytest.approx(expected, abs=1e-6)
    put_probe(model_copy, weight[1:])
    with pytest.raises(WeightsDamagedError, match="one bias"):
        ComparedModel.load(model_copy, device="cpu")


def test_a_model_saved_without_a_probe_has_none_and_a_replaced_probe_is_refused(
    model_copy: Path,
) -> None:
    probe = model_copy / "probe.safetensors"
    save_file({"weight": torch.zeros(128), "bias": torch.tensor(0.0)}, probe)
    with pytest.raises(WeightsDamagedError, match="damaged or was replaced"):
        ComparedModel.load(model_copy, device="cpu")
    probe.unlink()
    record = read_record(model_copy / "model.json")
    del record["probe_sha256"]
    write_record(model_copy / "model.json", record)
    without = ComparedModel.load(model_copy, device="cpu")
    features = np.full((1, 128), 128**-0.5, dtype=np.float32)
    assert without.margins(features).linear_probe is None


def test_maps_are_placed_where_there_are_masks_and_blanked_everywhere(
    shipped: Predictor, tiny: Backbone
) -> None:
    direction = torch.randn(32, generator=torch.Generator().manual_seed(2))
    small = ComparedModel(Predictor(shipped.description, tiny, direction, "cpu"), direction, None)
    sample = generate(5, 1, size=200)
    mask = Image.fromarray(sample.mask.astype(np.uint8))  # 1 for lesion: nonzero is enough
    blanking, placing = small.check_maps([sample.image] * 2, [mask, None], seed=1)
    assert blanking.deletion.shape == (2,)
    assert blanking.deletion[0] == pytest.approx(blanking.deletion[1], abs=1e-5)
    assert placing is not None
    assert placing.lesion_share == pytest.approx([sample.mask.mean()], abs=0.01)
    assert small.check_maps([sample.image], [None], seed=1)[1] is None


def test_the_pointing_game_asks_where_the_middle_of_the_strongest_field_lies() -> None:
    maps = torch.zeros(2, 4, 4)
    maps[0, 1, 2], maps[1, 3, 0] = 1.0, -2.0
    maps[:, 0, 0] = 0.5
    masks = np.zeros((2, 16, 16), dtype=bool)
    masks[0, 6, 10] = True  # the middle of row 1, column 2
    masks[1, 12:, :4] = True  # the whole of row 3, column 0
    placed = measure_placing(MarginMaps(torch.tensor([1.0, -1.0]), maps), masks)
    assert placed.pointing.tolist() == [1, 1]
    assert placed.pointing_centre.tolist() == [0, 0]
    assert placed.energy_outside == pytest.approx([1 - 1 / 16 / 1.5, 0.2])
