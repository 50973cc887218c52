"""Which CLIP is trained on: the shipped small one, an open_clip tag, or a local file."""

from dataclasses import dataclass
from pathlib import Path

from app.domain.errors import InvalidInput
from models.backbone_record import BackboneRecord, backbone_record
from models.backbone_sources import (
    configuration_of,
    record_of_file,
    record_of_tag,
)
from models.description import DEFAULT_FOLDER


@dataclass(frozen=True)
class ChosenBackbone:
    """A backbone's record, and the folder that its relative file names start from."""

    record: BackboneRecord
    folder: Path
    shipped: bool  # the demonstration's, which learned from generated pictures only


def choose_backbone(name: str | None, weights: str | None) -> ChosenBackbone:
    """Resolve --backbone and --weights; raises InvalidInput or ModelError.

    An open_clip name says which activation its weights need: OpenAI's need a -quickgelu name.
    """
    if name is None and weights is None:
        return ChosenBackbone(backbone_record(DEFAULT_FOLDER), DEFAULT_FOLDER, shipped=True)
    if name is None or weights is None:
        given, wanted = ("--weights", "--backbone") if name is None else ("--backbone", "--weights")
        raise InvalidInput(
            f"{given} needs {wanted} beside it, for example --backbone ViT-B-16-quickgelu "
            "--weights openai; without both, the small CLIP that comes with reread is used."
        )
    file = Path(weights)
    if file.suffix or file.exists():
        quick = bool(configuration_of(name).get("quick_gelu", False))
        record = record_of_file(name, file, activation="quick_gelu" if quick else "gelu")
    else:
        record = record_of_tag(name, weights)
    return ChosenBackbone(record, Path(), shipped=False)
