"""The generator: same seed, same picture; and the sample study that it made."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.probe import area_under_curve
from models.synthetic import demo, generate
from models.synthetic.attributes import FEATURES, draw_attributes
from models.synthetic.captions import caption_words
from models.synthetic.demo import COLUMNS, write_demo
from models.tokenizer import WordTokenizer

DEMO = Path(__file__).parents[2] / "demo"


def test_a_seed_and_an_index_give_the_same_sample_in_any_order() -> None:
    first = generate(3, 5, size=96)
    generate(3, 6, size=96)
    again = generate(3, 5, size=96)
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.caption, first.attributes) == (again.caption, again.attributes)
    assert generate(4, 5, size=96).image.tobytes() != first.image.tobytes()


def test_the_picture_is_the_same_at_every_size() -> None:
    small, large = generate(3, 8, size=128), generate(3, 8, size=256)
    reduced = np.asarray(large.image.resize((128, 128)), dtype=float)
    assert np.abs(reduced - np.asarray(small.image, dtype=float)).mean() < 12


def test_the_mask_covers_the_lesion() -> None:
    for index in range(12):
        sample = generate(9, index, size=96)
        x, y = sample.attributes.centre
        assert sample.mask[int(y * 96), int(x * 96)]
        assert 0.02 < sample.mask.mean() < 0.5


def test_a_given_diagnosis_or_modality_is_kept() -> None:
    sample = generate(3, 1, size=64, diagnosis="SK", modality="clinical")
    assert (sample.label, sample.attributes.modality) == (0, "clinical")


def test_the_signs_alone_do_not_settle_the_diagnosis() -> None:
    lesions = [draw_attributes(np.random.default_rng([1, index])) for index in range(3000)]
    for_bcc, for_sk = FEATURES[:5], FEATURES[5:]
    scores = np.array(
        [
            sum(lesion.shows(sign) for sign in for_bcc)
            - sum(lesion.shows(sign) for sign in for_sk)
            - 3 * lesion.pigment
            for lesion in lesions
        ]
    )
    truth = np.array([lesion.diagnosis == "BCC" for lesion in lesions], dtype=int)
    assert 0.9 < area_under_curve(scores, truth) < 0.98
    assert 0.45 < truth.mean() < 0.55


def test_captions_hold_known_words_only() -> None:
    tokenizer = WordTokenizer(tuple(caption_words()), 384, 40)
    for index in range(60):
        identifiers = tokenizer.encode(generate(2, index, size=32).caption.replace("-", " "))
        assert min(identifiers) > 256
        assert len(identifiers) <= 38


def test_unknown_words_become_bytes_and_long_texts_keep_their_end() -> None:
    tokenizer = WordTokenizer(("skin",), 384, 8)
    assert tokenizer.encode("Skin é") == [257, *(byte + 1 for byte in "é".encode())]
    batch = tokenizer(["skin " * 30, "skin"])
    assert batch.shape == (2, 8)
    assert batch.argmax(dim=-1).tolist() == [7, 2]


def test_the_sample_study_is_complete_and_says_it_is_generated(
    demo_rows: list[dict[str, str]],
) -> None:
    assert tuple(demo_rows[0]) == COLUMNS
    cases = {row["case_id"] for row in demo_rows}
    assert len(cases) == 40
    assert len(demo_rows) == 48
    assert all(row["synthetic"] == "yes" for row in demo_rows)
    assert all(row["diagnosis_confirm"] == "generated" for row in demo_rows)
    diagnoses = {row["case_id"]: row["diagnosis"] for row in demo_rows}
    assert sorted(diagnoses.values()).count("BCC") == 20
    files = {file.name for file in (DEMO / "images").iterdir()}
    assert files == {row["image"] for row in demo_rows}
    assert not any("bcc" in name.lower() or "sk" in name.lower() for name in files)
    assert sum((DEMO / "images" / name).stat().st_size for name in files) <= 2_000_000


def test_the_sample_study_can_be_made_again(tmp_path: Path) -> None:
    write_demo(tmp_path, 404)
    assert (tmp_path / "cases.csv").read_bytes() == (DEMO / "cases.csv").read_bytes()
    for file in sorted((DEMO / "images").iterdir())[:48:6]:
        made = (tmp_path / "images" / file.name).read_bytes()
        # Another build of Pillow may encode a JPEG differently: then the pixels still agree.
        if hashlib.sha256(made).digest() != hashlib.sha256(file.read_bytes()).digest():
            pytest.skip("this Pillow encodes JPEG differently")


@pytest.mark.parametrize(
    "statement",
    [
        "import models.synthetic.demo",
        "import models.overlay",
        "from models.description import describe; describe()",
    ],
)
def test_torch_stays_out_of(statement: str) -> None:
    check = f"{statement}\nimport sys\nassert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", check], check=True, cwd=DEMO.parent)  # noqa: S603


def test_masks_lie_beside_the_demonstrations_images_with_their_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "CASES", 2)
    monkeypatch.setattr(demo, "CASES_WITH_TWO_IMAGES", 2)
    monkeypatch.setattr(demo, "SIZE", 64)
    assert demo.write_demo(tmp_path / "demo", 3, tmp_path / "masks") == 4
    for file in (tmp_path / "demo" / "images").iterdir():
        with Image.open(file) as image, Image.open(tmp_path / "masks" / f"{file.stem}.png") as mask:
            assert mask.size == image.size
            assert {0, 255} == set(np.unique(np.asarray(mask)).tolist())
