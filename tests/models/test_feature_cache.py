"""The cache of features: killed at any moment it goes on, and what is not its own is refused."""

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.augment import Augmentation, augmented_views
from models.backbone import Backbone
from models.errors import CacheError
from models.feature_cache import CHUNK, CachedFeatures, Series, TrainingViews, cached_features
from tests.models.conftest import random_record

COUNT = 2 * CHUNK + 5
ROOT = Path(__file__).parents[2]


def picture(index: int) -> Image.Image:
    pixels = np.random.default_rng(index).integers(0, 256, (70, 80, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def opened(indices: Sequence[int]) -> Iterator[Image.Image]:
    return (picture(index) for index in indices)


def series(count: int = COUNT) -> Series:
    return Series(tuple(f"{index:064x}" for index in range(count)), opened)


def cached(
    folder: Path,
    backbone: Backbone,
    *,
    views: int = 1,
    stop_after: int | None = None,
    seed: int = 1,
) -> CachedFeatures:
    """Fill a cache; `stop_after` pictures somebody presses Ctrl-C."""

    def progress(done: int, total: int) -> None:
        assert total == COUNT
        if done == stop_after:
            raise KeyboardInterrupt

    return cached_features(
        folder,
        series(),
        backbone,
        views=views,
        augmentation=Augmentation(seed=seed),
        progress=progress,
    )


def everything(features: CachedFeatures) -> np.ndarray:
    every = np.arange(COUNT)
    return np.stack([features.view(view, every) for view in range(features.views + 1)])


@pytest.fixture(scope="module")
def whole(tiny: Backbone, tmp_path_factory: pytest.TempPathFactory) -> CachedFeatures:
    return cached(tmp_path_factory.mktemp("whole"), tiny)


def test_view_0_is_the_picture_and_the_others_are_augmented(
    whole: CachedFeatures, tiny: Backbone
) -> None:
    features = everything(whole)
    assert features.shape[:2] == (2, COUNT)
    assert np.linalg.norm(features, axis=2) == pytest.approx(1, abs=1e-5)
    plain = tiny.preprocessing([picture(40)])
    import torch

    expected = tiny.model.encode_image(torch.from_numpy(plain), normalize=True)
    assert features[0, 40] == pytest.approx(expected[0].numpy(), abs=1e-5)
    assert not np.allclose(features[1, 40], features[0, 40], atol=1e-3)


def test_an_interrupted_computation_goes_on_to_the_same_features(
    whole: CachedFeatures, tiny: Backbone, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, tiny, stop_after=CHUNK)
    kept = list(tmp_path.rglob("*.npy"))
    assert len(kept) == 1
    written = kept[0].stat().st_mtime_ns
    resumed = cached(tmp_path, tiny)
    assert np.array_equal(everything(resumed), everything(whole))
    assert kept[0].stat().st_mtime_ns == written


def test_a_killed_computation_goes_on_to_the_same_features(
    whole: CachedFeatures, tiny: Backbone, tmp_path: Path
) -> None:
    script = (
        "import sys; from pathlib import Path; import torch; torch.set_num_threads(2)\n"
        "from models.backbone import open_backbone\n"
        "from tests.models import test_feature_cache as t\n"
        "from tests.models.conftest import random_record\n"
        "from models.feature_cache import cached_features\n"
        "weights, cache = map(Path, sys.argv[1:])\n"
        "backbone = open_backbone(random_record(weights, quick_gelu=True), weights)\n"
        "cached_features(cache, t.series(), backbone, views=1,\n"
        "    augmentation=t.Augmentation(), progress=lambda *s: print(*s, flush=True))\n"
    )
    weights, cache = tmp_path / "weights", tmp_path / "cache"
    weights.mkdir()
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", script, str(weights), str(cache)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        first = running.stdout.readline()
        running.kill()
    assert first.split() == [str(CHUNK), str(COUNT)]
    assert running.returncode == -signal.SIGKILL
    # As a kill in the middle of a write leaves it.
    next(cache.rglob("*.npy")).with_name("00002.part").write_bytes(b"half")
    assert np.array_equal(everything(cached(cache, tiny)), everything(whole))


def test_a_damaged_chunk_is_refused_by_name_and_computed_anew_once_removed(
    whole: CachedFeatures, tiny: Backbone, tmp_path: Path
) -> None:
    file = sorted(cached(tmp_path, tiny).folder.glob("*.npy"))[1]
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(CacheError, match=rf"{file.name} were damaged or replaced"):
        cached(tmp_path, tiny)
    file.unlink()
    assert np.array_equal(everything(cached(tmp_path, tiny)), everything(whole))


def test_features_of_something_else_are_refused(tiny: Backbone, tmp_path: Path) -> None:
    record = cached(tmp_path, tiny).folder / "cache.json"
    record.write_text(json.dumps(json.loads(record.read_text()) | {"backbone_sha256": "0" * 64}))
    with pytest.raises(CacheError, match=r"something else \(they differ in backbone_sha256\)"):
        cached(tmp_path, tiny)


def test_another_backbone_preparation_or_seed_has_a_folder_of_its_own(
    tiny: Backbone, tmp_path: Path
) -> None:
    prepared = replace(tiny.preprocessing, mean=(0.4, 0.4, 0.4))
    other = replace(tiny, record=replace(tiny.record, preprocessing=prepared))
    runs = [cached(tmp_path, tiny), cached(tmp_path, tiny, seed=2), cached(tmp_path, other)]
    assert len({run.folder for run in runs}) == 3
    assert np.array_equal(everything(runs[0])[0], everything(runs[1])[0])
    assert not np.array_equal(everything(runs[0])[1], everything(runs[1])[1])


def test_two_runs_do_not_write_into_one_folder(tiny: Backbone, tmp_path: Path) -> None:
    def second(done: int, total: int) -> None:
        with pytest.raises(CacheError, match="Another run"):
            cached(tmp_path, tiny)
        raise KeyboardInterrupt(f"{done} of {total}")

    with pytest.raises(KeyboardInterrupt):
        cached_features(
            tmp_path, series(), tiny, views=1, augmentation=Augmentation(), progress=second
        )


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the kernel refuse larger files, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_and_what_is_finished_stays(
    whole: CachedFeatures, tiny: Backbone, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, tiny, stop_after=CHUNK)
    with files_of_at_most(2000), pytest.raises(CacheError, match="stays there: make room"):
        cached(tmp_path, tiny)
    assert len(list(tmp_path.rglob("*.npy"))) == 1
    assert np.array_equal(everything(cached(tmp_path, tiny)), everything(whole))


def test_training_takes_augmented_views_in_turn_or_the_plain_one(
    whole: CachedFeatures, tiny: Backbone, tmp_path: Path
) -> None:
    chosen = np.array([3, 60])
    views = TrainingViews(whole, chosen, "cpu")
    assert len(views) == 1
    assert np.array_equal(views[0].numpy(), everything(whole)[1, chosen])
    plain = TrainingViews(cached(tmp_path, tiny, views=0), chosen, "cpu")
    assert len(plain) == 1
    assert np.array_equal(plain[0].numpy(), everything(whole)[0, chosen])


def test_a_view_depends_on_its_picture_number_and_seed_alone() -> None:
    image, settings = picture(1), Augmentation()
    one = augmented_views(image, 64, "ab" * 32, 3, settings)
    assert one.shape == (3, 64, 64, 3)
    assert np.array_equal(one[:2], augmented_views(image, 64, "ab" * 32, 2, settings))
    assert not np.array_equal(one[0], one[1])
    assert not np.array_equal(one, augmented_views(image, 64, "cd" * 32, 3, settings))
    other = replace(settings, seed=2)
    assert not np.array_equal(one, augmented_views(image, 64, "ab" * 32, 3, other))


def test_without_any_change_a_view_is_the_centre_of_the_picture() -> None:
    still = Augmentation(1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    image = Image.radial_gradient("L").resize((96, 96)).convert("RGB")
    (view,) = augmented_views(image, 64, "ab" * 32, 1, still)
    expected = np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(view - expected).mean() < 1.5


def test_the_tiny_model_of_another_process_is_the_same(tiny: Backbone, tmp_path: Path) -> None:
    assert random_record(tmp_path, quick_gelu=True).weights_sha256 == tiny.record.weights_sha256
