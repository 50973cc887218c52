"""The worker's interface, against an independent computation and on known answers."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models import predict as predict_module
from models.backbone import Backbone
from models.description import DEFAULT_FOLDER
from models.errors import UnusableImageError
from models.gradcam import MarginMaps
from models.predict import Predictor
from models.probe import area_under_curve
from models.synthetic import generate

UNUSED_SEED = 77_001


def test_probabilities_equal_the_plain_path(
    shipped: Predictor, shipped_backbone: Backbone, demo_images: list[Image.Image]
) -> None:
    learned = load_file(DEFAULT_FOLDER / "prompt.safetensors")
    model, tokenizer = shipped_backbone.model, shipped_backbone.tokenizer
    texts = tokenizer(["basal cell carcinoma", "seborrheic keratosis"])
    # The published way: the whole context, no cutting.
    embedded = model.token_embedding(texts)
    shared = learned["context"].expand(2, -1, -1)
    x = torch.cat([embedded[:, :1], shared, embedded[:, 1:]], dim=1)[:, : model.context_length]
    x = model.transformer(x + model.positional_embedding, attn_mask=model.attn_mask)
    ends = texts.argmax(dim=-1) + len(learned["context"])
    text_features = torch.nn.functional.normalize(
        model.ln_final(x)[torch.arange(2), ends] @ model.text_projection, dim=-1
    )
    some = demo_images[:6]
    inputs = torch.from_numpy(shipped_backbone.preprocessing(some))
    features = model.encode_image(inputs, normalize=True)
    logits = learned["logit_scale"] * features @ text_features.T
    expected = logits.softmax(dim=-1)[:, 0].tolist()
    predicted = [prediction.probability_bcc for prediction in shipped.predict(some)]
    assert predicted == pytest.approx(expected, abs=1e-5)


def test_each_prediction_comes_with_a_map_and_an_overlay(
    shipped: Predictor, demo_images: list[Image.Image]
) -> None:
    for image, prediction in zip(demo_images[:4], shipped.predict(demo_images[:4]), strict=True):
        assert prediction.cam.shape == shipped.description.map_grid
        assert prediction.cam.dtype == np.float32
        assert Image.open(io.BytesIO(prediction.overlay_png)).size == image.size
        assert len(prediction.overlay_png) < 150_000


def test_predictions_repeat_exactly_and_do_not_depend_on_the_batch(
    shipped: Predictor, demo_images: list[Image.Image]
) -> None:
    some = demo_images[:5]
    first, second = shipped.predict(some), shipped.predict(some)
    assert [p.probability_bcc for p in first] == [p.probability_bcc for p in second]
    assert [p.overlay_png for p in first] == [p.overlay_png for p in second]
    alone = [shipped.predict([image])[0].probability_bcc for image in some]
    assert alone == pytest.approx([p.probability_bcc for p in first], abs=1e-5)


def test_no_images_give_no_predictions(shipped: Predictor) -> None:
    assert shipped.predict([]) == []


def test_on_unseen_generated_images_the_model_is_good_but_not_perfect(shipped: Predictor) -> None:
    samples = [generate(UNUSED_SEED, index, size=224) for index in range(100)]
    predictions = shipped.predict([sample.image for sample in samples])
    scores = np.array([prediction.probability_bcc for prediction in predictions])
    truth = np.array([sample.label for sample in samples])
    assert 0.85 <= area_under_curve(scores, truth) < 1.0
    # Probabilities spread: they are not all at the ends.
    assert ((scores > 0.05) & (scores < 0.95)).mean() > 0.3


def test_on_the_demo_study_the_model_helps_and_errs(
    shipped: Predictor, demo_rows: list[dict[str, str]], demo_images: list[Image.Image]
) -> None:
    scores = np.array([p.probability_bcc for p in shipped.predict(demo_images)])
    truth = np.array([row["diagnosis"] == "BCC" for row in demo_rows], dtype=int)
    wrong = (scores >= shipped.description.threshold) != truth
    assert area_under_curve(scores, truth) >= 0.8
    assert 0 < wrong.sum() < len(wrong) / 3


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "I;16"])
def test_images_of_every_mode_are_read(shipped: Predictor, mode: str) -> None:
    (prediction,) = shipped.predict([Image.new(mode, (90, 60))])
    assert 0 < prediction.probability_bcc < 1


def test_a_truncated_image_is_refused_with_a_sentence(
    shipped: Predictor, demo_rows: list[dict[str, str]]
) -> None:
    file = Path(__file__).parents[2] / "demo" / "images" / demo_rows[0]["image"]
    with pytest.raises(UnusableImageError, match="import this case's image again"):
        shipped.predict([Image.open(io.BytesIO(file.read_bytes()[:9000]))])


def test_f12_out_of_memory_on_the_accelerator_falls_back_to_the_cpu(
    monkeypatch: pytest.MonkeyPatch, demo_images: list[Image.Image]
) -> None:
    predictor = Predictor.load(device="cpu")
    expected = predictor.predict(demo_images[:1])[0].probability_bcc
    predictor.device = "cpu:0"  # stands for a GPU: any name but "cpu"
    original = predict_module.margin_maps
    calls: list[str] = []

    def full(*arguments: object) -> MarginMaps:
        calls.append("called")
        if len(calls) == 1:
            raise torch.OutOfMemoryError
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(predict_module, "margin_maps", full)
    assert predictor.predict(demo_images[:1])[0].probability_bcc == pytest.approx(expected)
    assert predictor.device == "cpu"


@pytest.mark.photographs
@pytest.mark.skipif("REREAD_TEST_IMAGES" not in os.environ, reason="REREAD_TEST_IMAGES is not set")
def test_real_photographs_get_finite_answers_of_the_right_size(shipped: Predictor) -> None:
    folder = Path(os.environ["REREAD_TEST_IMAGES"])
    with (folder / "cases.csv").open(newline="", encoding="utf-8") as stream:
        names = [row["image"] for row in csv.DictReader(stream)][:8]
    images = [Image.open(folder / "images" / name) for name in names]
    for image, prediction in zip(images, shipped.predict(images), strict=True):
        assert 0 <= prediction.probability_bcc <= 1
        assert np.isfinite(prediction.cam).all()
        assert Image.open(io.BytesIO(prediction.overlay_png)).size == image.size
