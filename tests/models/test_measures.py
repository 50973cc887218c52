"""Area under the curve, probe, temperature, and whether a map is faithful."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.backbone import Backbone
from models.faithfulness import STEPS, kept_fields, measure_faithfulness
from models.phrases import PhraseLoss
from models.pretrain import PretrainConfig, learning_rate, optimiser_for
from models.probe import area_under_curve, area_with_interval, calibrated_scale, linear_probe
from models.training_progress import load_progress, save_progress


@given(
    scores=st.lists(st.integers(0, 6), min_size=4, max_size=60),
    positives=st.integers(1, 3),
)
@settings(max_examples=50)
def test_the_area_is_the_mann_whitney_statistic(scores: list[int], positives: int) -> None:
    values = np.array(scores, dtype=float)
    truth = np.zeros(len(values), dtype=int)
    truth[:positives] = 1
    u = stats.mannwhitneyu(values[truth == 1], values[truth == 0]).statistic
    expected = u / (positives * (len(values) - positives))
    assert area_under_curve(values, truth) == pytest.approx(expected)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # Two normals a distance of 1.8 apart: area = Phi(1.8 / sqrt(2)).
    expected = stats.norm.cdf(1.8 / np.sqrt(2))
    rng = np.random.default_rng(1)
    truth = np.repeat([0, 1], 60)
    intervals = [area_with_interval(rng.normal(1.8 * truth, 1), truth) for _ in range(400)]
    covered = np.mean([area.low <= expected <= area.high for area in intervals])
    assert 0.92 <= covered <= 0.98
    assert intervals[0].n == 120


def test_the_probe_finds_a_linear_boundary_and_beats_chance() -> None:
    rng = np.random.default_rng(2)
    features = rng.normal(size=(600, 12))
    truth = (features[:, 0] - features[:, 3] + rng.normal(0, 0.5, 600) > 0).astype(int)
    score = linear_probe(features[:400], truth[:400])
    assert area_under_curve(score(features[400:]), truth[400:]) > 0.93


def test_calibration_finds_the_scale_that_made_the_labels() -> None:
    rng = np.random.default_rng(3)
    margins = rng.normal(0, 0.1, 20_000)
    truth = (rng.random(20_000) < 1 / (1 + np.exp(-25 * margins))).astype(int)
    assert calibrated_scale(margins, truth) == pytest.approx(25, rel=0.05)


def test_blanking_goes_from_everything_kept_to_nothing() -> None:
    order = torch.stack([torch.arange(16), torch.arange(16).flip(0)])
    assert kept_fields(order, 0).all()
    assert not kept_fields(order, STEPS).any()
    half = kept_fields(order, STEPS // 2)
    assert half[0].tolist() == [False] * 8 + [True] * 8
    assert half[1].tolist() == [True] * 8 + [False] * 8


def test_faithfulness_shares_are_shares(tiny: Backbone) -> None:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(3, 3, 64, 64, generator=generator)
    direction = torch.randn(tiny.model.visual.proj.shape[1], generator=generator)
    masks = np.zeros((3, 64, 64), dtype=bool)
    masks[:, 16:48, 16:48] = True
    measured = measure_faithfulness(tiny.model, inputs, masks, direction, seed=1)
    assert measured.n == 3
    assert measured.lesion_share == pytest.approx(0.25)
    assert measured.pointing_centre == 1
    for share in (measured.pointing, measured.energy_outside, measured.deletion):
        assert 0 <= share <= 1


def test_an_interrupted_training_goes_on_with_the_same_state(
    tiny: Backbone, tmp_path: Path
) -> None:

    model = copy.deepcopy(tiny.model)
    model.requires_grad_(requires_grad=True)
    file = tmp_path / "progress.safetensors"
    loss = PhraseLoss()
    optimiser = optimiser_for([*model.parameters(), *loss.parameters()], PretrainConfig())
    assert load_progress(file, model, loss, optimiser) == 0
    images = model.encode_image(torch.ones(2, 3, 64, 64))
    loss(images, torch.ones(1, images.shape[1]), torch.ones(2, 1)).backward()
    optimiser.step()
    save_progress(file, model, loss, optimiser, 4)
    resumed = copy.deepcopy(tiny.model)
    resumed.requires_grad_(requires_grad=True)
    resumed_loss = PhraseLoss()
    fresh = optimiser_for([*resumed.parameters(), *resumed_loss.parameters()], PretrainConfig())
    assert load_progress(file, resumed, resumed_loss, fresh) == 4
    assert resumed_loss.undecided == loss.undecided != PhraseLoss().undecided
    for name, value in model.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], value)
    saved, read = optimiser.state_dict()["state"], fresh.state_dict()["state"]
    assert saved.keys() == read.keys()
    assert all(torch.equal(saved[n]["exp_avg"], read[n]["exp_avg"]) for n in saved)


def test_the_pretraining_rate_rises_and_then_falls_to_zero() -> None:
    config = PretrainConfig()
    rates = [learning_rate(config, step, 500) for step in range(500)]
    assert rates[0] == pytest.approx(config.learning_rate / config.warm_up_steps)
    assert max(rates) == pytest.approx(config.learning_rate)
    assert rates[-1] < config.learning_rate / 1000
