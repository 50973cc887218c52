"""Cases that come to an open study, for the tests: imported, scored, added."""

import csv
import hashlib
import io
import zipfile
from dataclasses import replace

from app.actions.add_cases import add_cases
from app.db.predictions import insert_case_predictions, insert_prediction
from app.db.session import Role
from tests.conftest import Cast, import_files, overlay, picture


def more_files(count: int = 4, *, first: int = 500, diagnosis: bool = True) -> tuple[bytes, bytes]:
    """A table and a ZIP of further cases n500, n501, ...; every second one is SK."""
    table, pack = io.StringIO(), io.BytesIO()
    writer = csv.writer(table)
    writer.writerow(["case_id", "image", "diagnosis", "diagnosis_confirm", "synthetic"])
    with zipfile.ZipFile(pack, "w") as archive:
        for number in range(first, first + count):
            truth = ("SK" if number % 2 else "BCC") if diagnosis else ""
            writer.writerow([f"n{number}", f"n{number}.jpg", truth, "generated", "yes"])
            archive.writestr(f"n{number}.jpg", picture(number))
    return table.getvalue().encode(), pack.getvalue()


def import_more(cast: Cast, count: int = 4, *, first: int = 500, diagnosis: bool = True) -> None:
    import_files(
        cast.database,
        cast.storage,
        cast.reload(),
        more_files(count, first=first, diagnosis=diagnosis),
        by=cast.cora,
        without_diagnosis=not diagnosis,
    )


def score_more(cast: Cast) -> None:
    """Predictions, without a model, of what has none yet."""
    version = cast.reload().model_version_id
    with cast.begin(Role.WORKER, None) as connection:
        images = connection.execute(
            """SELECT id, case_id FROM image i WHERE study_id = %s AND NOT EXISTS
                   (SELECT FROM prediction p WHERE p.image_id = i.id)""",
            [cast.study.id],
        ).fetchall()
        for number, (image, _case) in enumerate(images):
            insert_prediction(
                connection,
                study=cast.study.id,
                image=image,
                model_version=version,
                probability=0.8 if number % 2 else 0.2,
                overlay_key=cast.storage.put(overlay(), suffix=".png"),
                overlay_sha256=hashlib.sha256(overlay()).hexdigest(),
                device="none",
            )
        insert_case_predictions(
            connection, cases=[case for _image, case in images], model_version=version
        )


def add_more(cast: Cast, reason: str = "Recruitment was faster.") -> Cast:
    """Append what waits to every order."""
    with cast.begin(Role.COORDINATOR, cast.cora) as connection:
        add_cases(connection, study=cast.reload(), reason=reason, by=cast.cora)
    return replace(cast, study=cast.reload())


def bring_more(cast: Cast, count: int = 4, *, first: int = 500) -> Cast:
    """Import, score and add further cases."""
    import_more(cast, count, first=first)
    score_more(cast)
    return add_more(cast)
