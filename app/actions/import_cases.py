"""Import cases: check everything first, then store all of it or nothing."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.db import cases, studies
from app.db.results import record_event
from app.db.session import Connection, Database, Role
from app.domain.access import Account
from app.domain.case_file import CaseFile, CaseRow, ImageRow, parse_case_file
from app.domain.errors import Conflict, InvalidInput, Problem, to_mend
from app.domain.image_quality import flags
from app.domain.scores import DIAGNOSES
from app.domain.sentences import Sentence, in_a_row, said
from app.domain.study_states import state_in_words
from app.image_decoding import CleanImage
from app.image_source import ImageSource
from app.imaging import ImageCleaner
from app.storage import Storage

Progress = Callable[[int, int], None]  # images done, images in all

# What a person says who imports pictures; the form and the command show this very sentence.
ATTESTATION = said(
    "I have looked at every picture: none shows a face, a name, a date or other text that tells "
    "who the patient is."
)


@dataclass(frozen=True)
class ImportReport:
    """What a file would bring, and everything that must be mended first."""

    file: CaseFile
    problems: tuple[Problem, ...]
    flagged: tuple[Problem, ...] = ()  # quality to look at; nothing must be mended for it

    @property
    def summary(self) -> Sentence:
        """Say what the file holds, and which of its columns are not used."""
        found = self.file.cases
        each = {name: sum(case.diagnosis == name for case in found) for name in (*DIAGNOSES, "")}
        counts = ", ".join(f"{number} {name}" for name, number in each.items() if name)
        first = said(
            "{cases} cases with {images} images ({format} columns): {diagnoses}.",
            cases=len(found),
            images=self.file.image_count,
            format=self.file.format,
            diagnoses=said("no diagnosis: an adjudicator records it before the study opens")
            if each[""]
            else counts,
        )
        return in_a_row([first, *self._ignored, *self._quality])

    @property
    def _quality(self) -> Iterator[Sentence]:
        images = len({flag.row for flag in self.flagged})
        if images:
            yield said("Images flagged for blur, size or exposure: {images}.", images=images)

    @property
    def _ignored(self) -> Iterator[Sentence]:
        if self.file.ignored_columns:
            yield said("Not used: {columns}.", columns=", ".join(self.file.ignored_columns))


def check_cases(
    database: Database,
    *,
    study: studies.Study | None,
    csv: bytes,
    name: str,
    source: ImageSource,
    progress: Progress,
    by: Account,
    without_diagnosis: bool = False,
) -> ImportReport:
    """Dry run: decode everything, store nothing, list every problem.

    Without a study the files are checked for one that is still to be made.
    """
    if study is None:
        file = parse_case_file(csv, name=name, without_diagnosis=without_diagnosis)
        checked = _Check(file, set(), {})
    else:
        checked = _begin(
            database, study=study, csv=csv, name=name, by=by, without_diagnosis=without_diagnosis
        )
    for _row, _picture in checked.pictures(source, progress):
        pass
    return checked.report


def import_cases(
    database: Database,
    *,
    study: studies.Study,
    csv: bytes,
    name: str,
    source: ImageSource,
    storage: Storage,
    progress: Progress,
    by: Account,
    without_diagnosis: bool = False,
    attested: bool = False,
) -> ImportReport:
    """Import a case file into a draft; on any problem nothing is stored and InvalidInput says all.

    `attested` says that a person has given ATTESTATION; the log then holds who did.

    Into an open study too, where the cases wait to be added (app.actions.add_cases). Decoding takes
    its time outside any transaction. The image files are written before the rows; where the rows
    cannot be written, the files go again.
    """
    checked = _begin(
        database, study=study, csv=csv, name=name, by=by, without_diagnosis=without_diagnosis
    )
    stored: dict[tuple[str, str], cases.NewImage] = {}
    try:
        for row, picture in checked.pictures(source, progress):
            key = storage.put(picture.data, suffix=".jpg")
            file_sha256 = checked.digests[row.image.file]
            stored[row.case.case_id, row.image.file] = _new_image(row, picture, key, file_sha256)
        report = checked.report
        _refuse_problems(report)
        with database.begin(Role.COORDINATOR, actor=by.id) as connection:
            for case in report.file.cases:
                new = _new_case(case, [stored[case.case_id, image.file] for image in case.images])
                cases.insert_case(connection, new, study=study.id, by=by.id)
            if attested:
                _record_attestation(connection, study, images=len(stored), by=by)
    except BaseException:
        for image in stored.values():
            storage.delete(image.storage_key)
        raise
    return report


def refuse_unattested(*, attested: bool) -> None:
    """Raise InvalidInput where a person imports pictures without having looked at them."""
    if not attested:
        raise InvalidInput(
            "Somebody has to look at the pictures first, and say so: no face, name, date or other "
            "text that tells who the patient is. Nothing was imported.",
            field="attested",
        )


def _record_attestation(
    connection: Connection, study: studies.Study, *, images: int, by: Account
) -> None:
    record_event(
        connection,
        study=study.id,
        action="import.attested",
        details={"statement": ATTESTATION, "images": images, "by": str(by.id)},
    )


@dataclass(frozen=True)
class _Row:
    case: CaseRow
    image: ImageRow


class _Check:
    """One file on its way in: what it says, and every problem found so far."""

    def __init__(
        self,
        file: CaseFile,
        codes: set[str],
        pictures: dict[str, str],
        *,
        open_study: bool = False,
    ) -> None:
        self.file = file
        self.problems = list(file.problems)
        self.flagged: list[Problem] = []
        self.digests: dict[str, str] = {}  # image -> SHA-256 of its file as delivered
        self._seen = pictures
        for case in file.cases:
            if case.case_id in codes:
                self._problem(
                    case.images[0],
                    said('case "{case}" is already in the study.', case=case.case_id),
                )
            if open_study and case.training:
                self._problem(
                    case.images[0],
                    said(
                        "training cases come first in every order and cannot be added to an open "
                        "study"
                    ),
                )

    @property
    def report(self) -> ImportReport:
        """Return the file with its problems and flags, in the order of the rows."""
        ordered = sorted(self.problems, key=lambda problem: problem.row or 0)
        return ImportReport(self.file, tuple(ordered), tuple(self.flagged))

    def pictures(
        self, source: ImageSource, progress: Progress
    ) -> Iterator[tuple[_Row, CleanImage]]:
        """Give each image decoded and cleaned; those that cannot be become problems."""
        rows = [_Row(case, image) for case in self.file.cases for image in case.images]
        by_key = {str(number): row for number, row in enumerate(rows)}
        with ImageCleaner() as cleaner:
            results = cleaner.clean_many(self._read(source, by_key))
            for done, (key, result) in enumerate(results, start=1):
                row = by_key[key]
                progress(done, len(rows))
                if isinstance(result, Problem):
                    self._problem(row.image, result.sentence)
                elif not self._is_repeated(row, result):
                    self.flagged += [
                        Problem(self.file.name, row.image.row, "image", flag.sentence)
                        for flag in flags(result.quality)
                    ]
                    yield row, result

    def _read(self, source: ImageSource, rows: dict[str, _Row]) -> Iterator[tuple[str, bytes]]:
        for key, row in rows.items():
            name = row.image.file
            if "\ufffd" in name:
                continue  # the cell is not text, which is reported; no file can have its name
            try:
                data = source.read(name)
            except InvalidInput as refusal:
                sentence = refusal.problems[0].sentence if refusal.problems else refusal.sentence
                self._problem(row.image, said("{name}: {sentence}", name=name, sentence=sentence))
                continue
            self.digests[name] = hashlib.sha256(data).hexdigest()
            yield key, data

    def _is_repeated(self, row: _Row, picture: CleanImage) -> bool:
        """Note a picture met before: a reader would see a case again, or a case count twice."""
        digest = hashlib.sha256(picture.data).hexdigest()
        earlier = self._seen.get(digest)
        if earlier is None:
            self._seen[digest] = row.case.case_id
            return False
        self._problem(
            row.image,
            said(
                'is the same picture as one of case "{case}"; leave one of them out.', case=earlier
            ),
        )
        return True

    def _problem(self, image: ImageRow, sentence: str) -> None:
        self.problems.append(Problem(self.file.name, image.row, "image", sentence))


def _refuse_problems(report: ImportReport) -> None:
    if report.problems:
        raise InvalidInput(
            said(
                "Nothing was imported: {name} has {things}.",
                name=report.file.name,
                things=to_mend(report.problems),
            ),
            report.problems,
        )


def _begin(
    database: Database,
    *,
    study: studies.Study,
    csv: bytes,
    name: str,
    by: Account,
    without_diagnosis: bool,
) -> _Check:
    if study.state not in {"draft", "open"}:
        raise Conflict(
            said(
                'The study "{code}" is {state}: cases are imported before it is closed.',
                code=study.code,
                state=state_in_words(study.state),
            )
        )
    with database.begin(Role.COORDINATOR, actor=by.id) as connection:
        codes = cases.known_codes(connection, study.id)
        pictures = cases.known_pictures(connection, study.id)
    file = parse_case_file(csv, name=name, without_diagnosis=without_diagnosis)
    return _Check(file, codes, pictures, open_study=study.state == "open")


def _new_image(row: _Row, picture: CleanImage, key: str, file_sha256: str) -> cases.NewImage:
    return cases.NewImage(
        modality=row.image.modality,
        storage_key=key,
        sha256=hashlib.sha256(picture.data).hexdigest(),
        width=picture.width,
        height=picture.height,
        synthetic=row.case.synthetic,
        file_sha256=file_sha256,
        perceptual_hash=picture.perceptual_hash,
        quality=picture.quality,
        mm_per_pixel=_scale(row.image.mm_per_pixel, picture),
    )


def _scale(delivered: float | None, picture: CleanImage) -> float | None:
    """Return the millimetres in a pixel of the picture as stored: it may have been reduced."""
    if delivered is None:
        return None
    return delivered * picture.quality.shorter_side / min(picture.width, picture.height)


def _new_case(case: CaseRow, images: list[cases.NewImage]) -> cases.NewCase:
    return cases.NewCase(
        code=case.case_id,
        patient_code=case.patient_id or None,
        lesion_code=case.lesion_id or None,
        age=case.age,
        sex=case.sex or None,
        anatomical_site=case.anatomical_site or None,
        fitzpatrick=None if case.fitzpatrick is None else str(case.fitzpatrick),
        diagnosis=case.diagnosis or None,
        diagnosis_source=case.diagnosis_source or "not stated",
        purpose="training" if case.training else "counted",
        images=images,
    )
