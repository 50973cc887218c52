"""The three sets of columns a case file may have, and what a cell in each of them means.

A cell that cannot be read raises ValueError with a sentence that can be said in any language.

`own` is this application's. `isic` is the metadata of the ISIC archive (www.isic-archive.com),
with the older single `diagnosis` or the newer `diagnosis_1` to `diagnosis_5`. `pad-ufes-20` is
Pacheco et al. 2020, doi:10.17632/zr7vgbcyr2.1.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.sentences import said

MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "unk", "unknown"})
CASE_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
IMAGE_SUFFIX = re.compile(r"\.(jpe?g|png)$", re.IGNORECASE)
MAX_TEXT = 100
OLDEST = 120
COARSEST = 10.0  # millimetres in a pixel: a picture of 64 pixels would show over half a metre

_DIAGNOSES = {
    "bcc": "BCC",
    "basal cell carcinoma": "BCC",
    "basal-cell carcinoma": "BCC",
    "sk": "SK",
    "sek": "SK",
    "seborrheic keratosis": "SK",
    "seborrhoeic keratosis": "SK",
}
_SEXES = {"male": "male", "m": "male", "female": "female", "f": "female", "other": "other"}
_SKIN_TYPES = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_HISTOLOGY = frozenset({"histo", "histology", "histopathology", "histopathological", "biopsy"})
_CLINICAL = ("clinical", "macroscopic", "smartphone", "close-up", "overview", "photograph")


@dataclass(frozen=True)
class Columns:
    """Where one format keeps each thing; an empty name says that it does not keep it."""

    format: str
    image: str
    diagnoses: tuple[str, ...]  # the most exact first
    diagnosis_source: str
    age: str
    sex: str
    anatomical_site: str
    fitzpatrick: str
    modality: str
    modality_default: str
    case_id: str = "case_id"
    patient_id: str = "patient_id"
    lesion_id: str = "lesion_id"
    synthetic: str = "synthetic"
    training: str = "training"
    mm_per_pixel: str = "mm_per_pixel"

    @property
    def names(self) -> frozenset[str]:
        """All columns of this format."""
        single = (self.case_id, self.image, self.diagnosis_source, self.age, self.sex)
        more = (self.anatomical_site, self.fitzpatrick, self.modality, self.patient_id)
        flags = (self.synthetic, self.training, self.mm_per_pixel)
        return frozenset((*single, *more, *flags, self.lesion_id, *self.diagnoses)) - {""}


OWN = Columns(
    format="own",
    image="image",
    diagnoses=("diagnosis",),
    diagnosis_source="diagnosis_confirm",
    age="age",
    sex="sex",
    anatomical_site="anatom_site",
    fitzpatrick="fitzpatrick",
    modality="modality",
    modality_default="other",
)
ISIC = Columns(
    format="isic",
    image="isic_id",
    diagnoses=(*(f"diagnosis_{level}" for level in (5, 4, 3, 2, 1)), "diagnosis"),
    diagnosis_source="diagnosis_confirm_type",
    age="age_approx",
    sex="sex",
    anatomical_site="anatom_site_general",
    fitzpatrick="fitzpatrick_skin_type",
    modality="image_type",
    modality_default="other",
)
PAD_UFES_20 = Columns(
    format="pad-ufes-20",
    image="img_id",
    diagnoses=("diagnostic",),
    diagnosis_source="biopsed",
    age="age",
    sex="gender",
    anatomical_site="region",
    fitzpatrick="fitspatrick",
    modality="",
    modality_default="clinical",  # every image of this set is a smartphone photograph
)
FORMATS = (OWN, ISIC, PAD_UFES_20)
ALL_NAMES = frozenset[str]().union(*(columns.names for columns in FORMATS))


def recognise(header: tuple[str, ...]) -> Columns | None:
    """Give the format that names its images in this header, if one does."""
    return next((columns for columns in FORMATS if columns.image in header), None)


def cell(cells: Mapping[str, str], name: str) -> str:
    """Give the text under `name`; the usual marks of a missing value give ''."""
    text = cells.get(name, "")
    return "" if text.casefold() in MISSING else text


def read_image_name(text: str) -> str:
    """Give the file name; ValueError where it could point out of the images' folder."""
    if not text:
        raise ValueError(said("the file name of the image is missing"))
    if "/" in text or "\\" in text or text in {".", ".."}:
        raise ValueError(said("give the file name alone, without folders"))
    return _short(text, 200)


def read_case_id(text: str, image: str) -> str:
    """Give the case's id: `text`, or the image's name without its ending where it is empty."""
    if text and not CASE_ID.fullmatch(text):
        raise ValueError(
            said(
                "'{text}' is not a case id: it has 1 to 64 letters A-Z, digits, '_', '.' or '-'",
                text=_short(text, 200),
            )
        )
    case_id = text or IMAGE_SUFFIX.sub("", image)
    if image and not CASE_ID.fullmatch(case_id):
        raise ValueError(
            said(
                "no case id can be made from the image's name: it needs 1 to 64 letters A-Z, "
                "digits, '_', '.' or '-'; fill in case_id"
            )
        )
    return case_id


def read_diagnosis(texts: tuple[str, ...], columns: Columns) -> str:
    """Give 'BCC' or 'SK' from the most exact to the most general name of one diagnosis.

    ValueError says how to mend a missing, other or contradictory diagnosis.
    """
    given = [text for text in texts if text]
    if not given:
        raise ValueError(said("the diagnosis is missing; write BCC or SK, or remove the row"))
    names = [_diagnosis_name(text, columns) for text in given]
    found = {_DIAGNOSES[name] for name in names if name in _DIAGNOSES}
    if len(found) > 1:
        raise ValueError(said("two diagnoses are given, BCC and SK; leave one, or remove the row"))
    if not found:
        raise ValueError(
            said(
                "'{text}' is neither basal cell carcinoma (BCC) nor seborrheic keratosis (SK), "
                "the two this study compares; remove the row or correct it",
                text=_quoted(given[0]),
            )
        )
    return found.pop()


def read_no_diagnosis(texts: tuple[str, ...], columns: Columns) -> str:
    """Give ''; ValueError where there is a diagnosis although the file was to have none."""
    del columns
    if any(texts):
        raise ValueError(
            said("a diagnosis is given although none was to be in the file; leave it out")
        )
    return ""


def _diagnosis_name(text: str, columns: Columns) -> str:
    # The archive writes subtypes behind a comma: "Basal cell carcinoma, Nodular". Elsewhere a
    # comma may be followed by a doubt.
    name = text.split(",", maxsplit=1)[0] if columns is ISIC else text
    return " ".join(name.casefold().split())


def read_diagnosis_source(text: str, columns: Columns) -> str:
    """Give how the diagnosis was made: 'histopathology', other words as given, or ''."""
    if columns is PAD_UFES_20 and text:
        return "histopathology" if read_yes_or_no(text) else "clinical consensus"
    plain = " ".join(text.casefold().split())
    return "histopathology" if plain in _HISTOLOGY else read_text(plain)


def read_age(text: str) -> int | None:
    """Give the age in whole years; ValueError outside 0 to 120."""
    if not text:
        return None
    # Spreadsheets and pandas write whole numbers as 53.0.
    if not re.fullmatch(r"[0-9]{1,3}([.,]0+)?", text) or int(re.split("[.,]", text)[0]) > OLDEST:
        raise ValueError(
            said(
                "'{text}' is not an age in whole years from 0 to {oldest}",
                text=_quoted(text),
                oldest=OLDEST,
            )
        )
    return int(re.split("[.,]", text)[0])


def read_mm_per_pixel(text: str) -> float | None:
    """Give the millimetres in a pixel of the file as delivered; ValueError for what is no scale."""
    if not text:
        return None
    plain = text.replace(",", ".")
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,9})?", plain) or not 0 < float(plain) <= COARSEST:
        raise ValueError(
            said(
                "'{text}' is no scale: millimetres in a pixel, above 0 and at most "
                "{coarsest:.0f}, such as 0.021",
                text=_quoted(text),
                coarsest=COARSEST,
            )
        )
    return float(plain)


def read_sex(text: str) -> str:
    """Give 'male', 'female', 'other' or ''."""
    if text and text.casefold() not in _SEXES:
        raise ValueError(
            said(
                "'{text}' is not one of male, female, other; or leave it blank",
                text=_quoted(text),
            )
        )
    return _SEXES.get(text.casefold(), "")


def read_fitzpatrick(text: str) -> int | None:
    """Give the Fitzpatrick skin type, 1 to 6."""
    if not text:
        return None
    plain = text.casefold().removesuffix(".0")
    types = {**_SKIN_TYPES, **{str(number): number for number in _SKIN_TYPES.values()}}
    if plain not in types:
        raise ValueError(
            said(
                "'{text}' is not a Fitzpatrick skin type from 1 to 6 (I to VI)",
                text=_quoted(text),
            )
        )
    return types[plain]


def read_yes_or_no(text: str) -> bool:
    """Give yes as true; blank is no."""
    if text and text.casefold() not in _TRUTHS:
        raise ValueError(said("'{text}' is neither yes nor no", text=_quoted(text)))
    return _TRUTHS.get(text.casefold(), False)


def read_modality(text: str, columns: Columns) -> str:
    """Give 'dermoscopic', 'clinical' or 'other' for how the image was taken."""
    plain = text.casefold()
    if not plain:
        return columns.modality_default
    if re.search(r"(?<!non-)(?<!non )\bderm(o|ato)scop", plain):
        return said("dermoscopic")
    return said("clinical") if plain.startswith(_CLINICAL) else "other"


def read_text(text: str) -> str:
    """Give a free text as written; ValueError where it is too long."""
    return _short(text, MAX_TEXT)


def _short(text: str, limit: int) -> str:
    if len(text) > limit:
        raise ValueError(
            said(
                "the text has {count:,} characters; {limit} are accepted",
                count=len(text),
                limit=limit,
            )
        )
    return text


def _quoted(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - enough to find the cell
