"""Pre-training: phrases beside captions, several stages, several processes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.description import DEFAULT_FOLDER
from models.phrases import PhraseLoss, phrases
from models.pretrain import VALIDATION_SEED
from models.pretraining_data import augmented
from models.record import read_record
from models.synthetic import generate
from models.synthetic.captions import COLOURS, NAMES, PHRASES, caption_words
from models.synthetic.series import painted
from models.tensor_files import read_tensors
from models.tokenizer import WordTokenizer

VOCABULARY = WordTokenizer(tuple(caption_words()), 384, 40)


def test_every_phrase_is_asked_of_every_picture_and_answered_by_what_was_drawn() -> None:
    indices = np.arange(40)
    asked = phrases(3, indices, np.random.default_rng(1))
    assert asked.truth.shape == (40, len(asked.texts))
    lesions = [generate(3, int(index), size=32).attributes for index in indices]
    named = dict(zip(asked.texts, asked.truth.T, strict=True))
    for text, truth in named.items():
        for feature, wordings in PHRASES.items():
            if text in wordings:
                assert truth.tolist() == [lesion.shows(feature) for lesion in lesions]
        for diagnosis, wordings in NAMES.items():
            if text in wordings:
                assert truth.tolist() == [lesion.diagnosis == diagnosis for lesion in lesions]
    # Each picture has one diagnosis, one kind of border and one colour.
    assert (asked.truth[:, :2].sum(axis=1) == 1).all()
    assert (asked.truth[:, -len(COLOURS) :].sum(axis=1) == 1).all()
    assert (asked.truth[:, -len(COLOURS) - 2 : -len(COLOURS)].sum(axis=1) == 1).all()
    # Every word is one that the small model knows; another would be spelt in bytes, as hyphens are.
    assert all(min(VOCABULARY.encode(text.replace("-", " "))) > 256 for text in asked.texts)


def test_the_phrase_loss_falls_when_true_pairs_are_alike_and_false_ones_are_not() -> None:
    texts = torch.eye(4)[:2]  # (K, D)
    truth = torch.tensor([[1.0, 0.0], [0.0, 1.0]])  # (B, K)
    loss = PhraseLoss()
    right, wrong = loss(texts, texts, truth), loss(texts.flip(0), texts, truth)
    # By hand: similarities 1 and 0, undecided at 0.3, scale e^2.3.
    scale = float(np.exp(2.3))
    by_hand = np.log1p(np.exp(-0.7 * scale)) + np.log1p(np.exp(-0.3 * scale))
    assert float(right.detach()) == pytest.approx(by_hand, rel=1e-5)
    assert right < wrong


def test_a_resized_view_shows_the_whole_picture() -> None:
    picture = np.zeros((1, 240, 240, 3), np.uint8)
    picture[:, :8] = picture[:, -8:] = picture[:, :, :8] = picture[:, :, -8:] = 200  # a frame
    rng = np.random.default_rng(2)
    (resized,) = augmented(picture, 224, rng, resized_share=1)
    assert all(edge.mean() > 120 for edge in (resized[0], resized[-1], resized[:, 0]))
    cropped = [augmented(picture, 224, rng)[0] for _ in range(8)]
    assert any(min(view[0].mean(), view[-1].mean()) < 60 for view in cropped)


def test_two_processes_go_on_from_a_finished_backbone_and_record_what_it_was(
    tmp_path: Path,
) -> None:
    work = tmp_path / "work"
    for seed in (5, VALIDATION_SEED):
        painted(seed, 8, 240, work, processes=1)
    arguments = (
        *("--nproc-per-node", "2", "-m", "models.pretrain", "--threads", "1", "--phrases"),
        *("--seed", "5", "--images", "8", "--batch-size", "8", "--epochs", "1"),
        *("--validation-images", "8"),
        *("--start-from", str(DEFAULT_FOLDER), "--work", str(work)),
        *("--out", str(tmp_path / "out")),
    )
    subprocess.run(  # noqa: S603 our own command
        [sys.executable, "-m", "torch.distributed.run", *arguments],
        check=True,
        capture_output=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    record = read_record(tmp_path / "out" / "backbone.json")
    shipped = read_record(DEFAULT_FOLDER / "backbone.json")
    assert record["pretraining"]["started_from"] == {
        "weights_sha256": shipped["weights"]["sha256"],
        "pretraining": shipped["pretraining"],
    }
    assert record["pretraining"]["processes"] == 2
    assert record["normalisation"] == shipped["normalisation"]
    before, _ = read_tensors(DEFAULT_FOLDER / "backbone.safetensors")
    after, _ = read_tensors(tmp_path / "out" / "backbone.safetensors")
    assert before.keys() == after.keys()
    changed = [name for name in before if not torch.equal(before[name], after[name])]
    assert "visual.conv1.weight" in changed
    assert all(torch.allclose(before[name], after[name], atol=0.01) for name in before)
