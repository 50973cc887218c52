"""bfloat16 only where it is asked for and where the device has units for it."""

import numpy as np
import pytest
import torch
from PIL import Image

from app.settings import BadSettingError, Settings
from models.errors import PrecisionError
from models.precision import dtype_of, has_bfloat16
from models.predict import Predictor


def units(monkeypatch: pytest.MonkeyPatch, *, processor: bool, gpu: bool) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": processor})
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: gpu)


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
def test_single_precision_is_the_default_whatever_the_device_can(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    units(monkeypatch, processor=True, gpu=True)
    assert dtype_of("float32", device) == torch.float32
    assert dtype_of("bfloat16", device) == torch.bfloat16


@pytest.mark.parametrize(
    ("device", "processor", "gpu", "word"),
    [("cpu", False, True, "processor"), ("cuda:0", True, False, "GPU")],
)
def test_a_device_without_units_refuses_bfloat16_and_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, device: str, *, processor: bool, gpu: bool, word: str
) -> None:
    units(monkeypatch, processor=processor, gpu=gpu)
    with pytest.raises(PrecisionError, match=f"This {word} has no units.*REREAD_PRECISION=float32"):
        dtype_of("bfloat16", device)


def test_a_predictor_refuses_before_it_reads_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    units(monkeypatch, processor=False, gpu=False)
    with pytest.raises(PrecisionError):
        Predictor.load(device="cpu", precision="bfloat16")


@pytest.mark.skipif(not has_bfloat16("cpu"), reason="this processor has no bfloat16 units")
def test_in_bfloat16_the_same_is_said_a_little_less_exactly(
    shipped: Predictor, demo_images: list[Image.Image]
) -> None:
    half = Predictor.load(device="cpu", precision="bfloat16")
    assert (shipped.computed_on, half.computed_on) == ("cpu", "cpu bfloat16")
    exact, rounded = shipped.predict(demo_images[:8]), half.predict(demo_images[:8])
    differences = [
        abs(one.probability_bcc - other.probability_bcc)
        for one, other in zip(exact, rounded, strict=True)
    ]
    assert 0 < max(differences) < 0.02
    for one, other in zip(exact, rounded, strict=True):
        assert other.cam.dtype == np.float32
        assert np.corrcoef(one.cam.ravel(), other.cam.ravel())[0, 1] > 0.99


def test_the_setting_is_checked_at_the_start() -> None:
    assert Settings.from_environment({}).precision == "float32"
    assert Settings.from_environment({"REREAD_PRECISION": "bfloat16"}).precision == "bfloat16"
    with pytest.raises(BadSettingError, match="REREAD_PRECISION is 'int8'; float32 or bfloat16"):
        Settings.from_environment({"REREAD_PRECISION": "int8"})
