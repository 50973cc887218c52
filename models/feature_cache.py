"""Image features on disk: computed once, kept chunk by chunk, memory-mapped when read.

The image encoder is frozen, so a picture's features never change: view 0 is the picture as it
is, views 1 to K are augmented. A finished chunk is renamed into place under the SHA-256 of its
content, so that a computation that is killed at any moment goes on behind its last chunk, and a
file that was damaged since is noticed. The folder's name and `cache.json` say what the features
depend on; another set of pictures, backbone, preparation or augmentation is another folder.
"""

# torch leaves parts of its interface untyped.
# pyright: reportUnknownMemberType=false
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from models.augment import Augmentation, augmented_views
from models.backbone import Backbone, image_features
from models.errors import CacheError
from models.record import read_record, sha256_of, write_record

Features = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]  # pictures done, pictures in all
CHUNK = 32  # pictures, at most, that a killed run encodes again
BATCH = 64  # views encoded together


@dataclass(frozen=True)
class Series:
    """Pictures: what identifies each (SHA-256), and how to open some of them, in order."""

    keys: tuple[str, ...]
    opened: Callable[[Sequence[int]], Iterator[Image.Image]]


@dataclass(frozen=True)
class CachedFeatures:
    """Unit features of N pictures in 1 + K views, memory-mapped. Chunks are (n, 1 + K, D)."""

    folder: Path
    chunks: tuple[Features, ...]
    views: int  # K

    def view(self, number: int, chosen: npt.NDArray[np.intp]) -> Features:
        """Features of one view of the chosen pictures. (n, D)."""
        return np.concatenate([chunk[:, number] for chunk in self.chunks])[chosen]

    def plain(self, chosen: npt.NDArray[np.intp]) -> Features:
        """Features of the chosen pictures as they are. (n, D)."""
        return self.view(0, chosen)


@dataclass(frozen=True)
class TrainingViews(Sequence[Tensor]):
    """The augmented views of the chosen pictures, each (n, D); without any, the plain ones."""

    features: CachedFeatures
    chosen: npt.NDArray[np.intp]
    device: str

    def __len__(self) -> int:
        return max(1, self.features.views)

    def __getitem__(self, number: Any) -> Any:  # noqa: ANN401 only whole numbers are asked for
        view = number + 1 if self.features.views else 0
        return torch.from_numpy(self.features.view(view, self.chosen)).to(self.device)


def cached_features(
    folder: Path,
    series: Series,
    backbone: Backbone,
    *,
    views: int,
    augmentation: Augmentation,
    progress: Progress,
) -> CachedFeatures:
    """Compute what is missing in `folder` and return all; raises CacheError, UnusableImageError.

    Under `folder` each combination of pictures, backbone and settings has a folder of its own.
    """
    content = _content(series, backbone, views, augmentation)
    text = json.dumps(content, sort_keys=True)
    own = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    total = len(series.keys)
    chunks = [range(first, min(first + CHUNK, total)) for first in range(0, total, CHUNK)]
    with _writing(own):
        own.mkdir(parents=True, exist_ok=True)
    with _locked(own):
        _check_record(own, content)
        files = {number: _finished(own, number) for number in range(len(chunks))}
        missing = [number for number, file in files.items() if file is None]
        pictures = series.opened([index for number in missing for index in chunks[number]])
        for number in missing:
            made = _encoded(series, chunks[number], pictures, backbone, views, augmentation)
            files[number] = _write(own, number, made)
            progress(chunks[number].stop, total)
    mapped = tuple(
        np.load(file, mmap_mode="r", allow_pickle=False)
        for file in files.values()
        if file is not None
    )
    return CachedFeatures(own, mapped, views)


def _content(
    series: Series, backbone: Backbone, views: int, augmentation: Augmentation
) -> dict[str, Any]:
    """Everything that the features depend on."""
    keys = hashlib.sha256("".join(f"{key}\n" for key in series.keys).encode()).hexdigest()
    return {
        "pictures": len(series.keys),
        "pictures_sha256": keys,
        "backbone": backbone.record.name,
        "backbone_sha256": backbone.record.weights_sha256,
        "activation": backbone.record.activation,
        "preprocessing": backbone.preprocessing.describe(),
        "views": views,
        "augmentation": augmentation.describe() if views else None,
        "chunk": CHUNK,
    }


def _encoded(
    series: Series,
    chunk: range,
    pictures: Iterator[Image.Image],
    backbone: Backbone,
    views: int,
    augmentation: Augmentation,
) -> Features:
    """Encode the next pictures, those of one chunk, in all their views. (n, 1 + K, D)."""
    size = backbone.preprocessing.image_size
    together = max(1, BATCH // (1 + views))
    features: list[Features] = []
    for first in range(chunk.start, chunk.stop, together):
        pixels: list[npt.NDArray[np.uint8]] = []
        for index in range(first, min(first + together, chunk.stop)):
            picture = next(pictures)
            pixels.append(np.asarray(backbone.preprocessing.crop(picture))[None])  # (1, S, S, 3)
            if views:
                key = series.keys[index]
                pixels.append(augmented_views(picture, size, key, views, augmentation))
        inputs = torch.from_numpy(backbone.preprocessing.normalise(np.concatenate(pixels)))
        encoded = image_features(backbone, inputs.to(backbone.device)).float().cpu().numpy()
        features.append(encoded.reshape(-1, 1 + views, encoded.shape[1]))
    return np.concatenate(features)


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    """Say of a full disk what is kept and how to go on."""
    try:
        yield
    except OSError as error:
        raise CacheError(
            f"The image features cannot be kept in {folder} ({error.strerror}). What is finished "
            "stays there: make room, or name another folder, and start the same command again."
        ) from error


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CacheError(
                f"Another run is computing the same image features in {folder}; wait for it, or "
                "name another folder."
            ) from None
        yield


def _check_record(folder: Path, content: dict[str, Any]) -> None:
    """Compare the folder's record with what is wanted; write it where there is none."""
    file = folder / "cache.json"
    if not file.exists():
        with _writing(folder):
            unfinished = file.with_suffix(".part")
            write_record(unfinished, content)
            unfinished.rename(file)
        return
    found = read_record(file)
    other = [name for name in content if found.get(name) != content[name]]
    if other:
        raise CacheError(
            f"The image features in {folder} were made from something else (they differ in "
            f"{', '.join(other)}). Remove that folder and start again."
        )


def _finished(folder: Path, number: int) -> Path | None:
    """Return a finished chunk, verified; raises CacheError where it is not what was written."""
    files = sorted(folder.glob(f"{number:05}-*.npy"))
    for file in files:
        if len(files) > 1 or file.stem != f"{number:05}-{sha256_of(file)}":
            raise CacheError(
                f"The image features in {file} were damaged or replaced: they are not those that "
                "their name states. Remove this file and start again; only it is computed anew."
            )
    return files[0] if files else None


def _write(folder: Path, number: int, chunk: Features) -> Path:
    unfinished = folder / f"{number:05}.part"
    with _writing(folder):
        with unfinished.open("wb") as stream:
            np.save(stream, chunk, allow_pickle=False)
            _to_disk(stream)
        file = folder / f"{number:05}-{sha256_of(unfinished)}.npy"
        unfinished.rename(file)
    return file


def _to_disk(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
