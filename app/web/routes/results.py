"""Results and export of an unblinded study; every look and every file is written down."""

import os
from functools import partial
from typing import IO, Annotated, Literal

from fastapi import APIRouter, Depends, Request
from starlette.background import BackgroundTask
from starlette.responses import Response, StreamingResponse

from app import __version__
from app.actions import export_study
from app.actions.analyse_file import as_text
from app.actions.analyse_study import (
    StudyFigure,
    analyse_study,
    draw_changes,
    draw_roc,
    draw_study,
)
from app.actions.design_study import find_study
from app.actions.export_pack import pack_to_send
from app.actions.pack.codebook import codebook_csv
from app.db import results, studies
from app.db.session import Connection, Role
from app.db.studies import Study
from app.domain.access import Account
from app.domain.errors import Conflict, NotFound
from app.domain.sentences import said
from app.domain.study_states import state_in_words
from app.signing import signer_at
from app.statistics.figures import Form
from app.web.access import AnalystConnection, CoordinatorOnly, FreshPassword
from app.web.pages import PairsPage, ResultsPage
from app.web.rendering import render
from app.web.services import services_of

router = APIRouter(prefix="/studies/{code}")

FIGURES = {"svg": "image/svg+xml", "pdf": "application/pdf", "png": "image/png"}


def _unblinded(
    request: Request, viewer: CoordinatorOnly, connection: AnalystConnection, code: str
) -> Study:
    """Give an unblinded study of the viewer's; raises Conflict while it is blinded.

    The analyst's connection does not see blinded studies at all, so the reason is asked of the
    coordinator's.
    """
    study = studies.study_by_code(connection, code)
    if study is not None:
        return study
    with services_of(request).database.begin(Role.COORDINATOR, actor=viewer.id) as coordinators:
        blinded = find_study(coordinators, code=code)
    raise Conflict(
        said(
            'The study "{code}" is {state}. Results exist only after unblinding, which follows '
            "closing.",
            code=code,
            state=state_in_words(blinded.state),
        )
    )


Unblinded = Annotated[Study, Depends(_unblinded)]


@router.get("/results")
def show_results(
    viewer: CoordinatorOnly,
    connection: AnalystConnection,
    study: Unblinded,
    subgroup: str | None = None,
) -> Response:
    """Show the results page; `subgroup` names the characteristic of the cases to part them by."""
    return render(_page(ResultsPage, connection, study=study, subgroup=subgroup, by=viewer))


@router.get("/results/pairs")
def show_pairs(
    viewer: CoordinatorOnly, connection: AnalystConnection, study: Unblinded
) -> Response:
    """Show the agreement of readers in pairs, on a page of its own where there are many."""
    return render(_page(PairsPage, connection, study=study, subgroup=None, by=viewer))


def _page(
    kind: type[ResultsPage],
    connection: Connection,
    *,
    study: Study,
    subgroup: str | None,
    by: Account,
) -> ResultsPage:
    found = analyse_study(connection, study=study, subgroup=subgroup or None, by=by)
    if study.model_version_id is None:
        raise NotFound("This study has no model.")
    model = studies.model_version(connection, study.model_version_id)
    if model is None:
        raise NotFound("The model of this study is not registered.")
    return kind(
        viewer=by,
        study=study,
        analysis=found.analysis.json(),
        file_sha256=found.file_sha256,
        software_version=__version__,
        reader_names=found.reader_names,
        simulated_readers=found.simulated,
        model=model,
        references=results.reference_sources(connection, study.id),
        columns=found.columns,
        expected=results.expected_readings(connection, study.id),
    )


@router.get("/results/analysis.json")
def download_analysis(
    viewer: CoordinatorOnly,
    _fresh: FreshPassword,
    connection: AnalystConnection,
    study: Unblinded,
    subgroup: str | None = None,
) -> Response:
    """Give the numbers of the page as `reread analyse` writes them."""
    found = analyse_study(connection, study=study, subgroup=subgroup or None, by=viewer)
    return _download(
        as_text(found.analysis).encode(), f"{study.code}-analysis.json", "application/json"
    )


@router.get("/results/roc/{reader}.{form}")
def show_roc(
    viewer: CoordinatorOnly,
    connection: AnalystConnection,
    study: Unblinded,
    reader: str,
    form: Form,
) -> Response:
    """Draw a reader's ROC figure."""
    drawn = draw_roc(connection, study=study, reader=reader, form=form, by=viewer)
    return Response(drawn, media_type=FIGURES[form])


@router.get("/results/changes/{reader}.{form}")
def show_changes(
    viewer: CoordinatorOnly,
    connection: AnalystConnection,
    study: Unblinded,
    reader: str,
    form: Form,
) -> Response:
    """Draw how a reader's calls moved."""
    drawn = draw_changes(connection, study=study, reader=reader, form=form, by=viewer)
    return Response(drawn, media_type=FIGURES[form])


@router.get("/results/figures/{figure}.{form}")
def show_figure(
    viewer: CoordinatorOnly,
    connection: AnalystConnection,
    study: Unblinded,
    figure: StudyFigure,
    form: Form,
) -> Response:
    """Draw a figure about all readers."""
    drawn = draw_study(connection, study=study, figure=figure, form=form, by=viewer)
    return Response(drawn, media_type=FIGURES[form])


@router.get("/export/{name}")
def download_export(
    request: Request,
    viewer: CoordinatorOnly,
    _fresh: FreshPassword,
    connection: AnalystConnection,
    study: Unblinded,
    name: Literal["readings.csv", "codebook.csv", "export.zip"],
) -> Response:
    """Give one file of the export, or the whole of it, which `reread verify` can prove."""
    if name == "export.zip":
        services = services_of(request)
        file = pack_to_send(
            connection,
            study=study,
            storage=services.storage,
            signer=signer_at(services.settings.signing_key),
            by=viewer,
        )
        return send_file(file, f"{study.code}.zip", "application/zip")
    if name == "codebook.csv":
        content = codebook_csv()
    else:
        content = export_study.readings_csv(connection, study=study)
        export_study.record_export(connection, study=study, what=name, content=content, by=viewer)
    return _download(content, f"{study.code}-{name}", "text/csv; charset=utf-8")


def send_file(file: IO[bytes], name: str, kind: str) -> Response:
    """Send an open file piece by piece and close it."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Length": str(file.seek(0, os.SEEK_END)),
    }
    file.seek(0)
    return StreamingResponse(
        iter(partial(file.read, 1 << 18), b""),
        media_type=kind,
        headers=headers,
        background=BackgroundTask(file.close),
    )


def _download(content: bytes, name: str, kind: str) -> Response:
    disposition = f'attachment; filename="{name}"'
    return Response(content, media_type=kind, headers={"Content-Disposition": disposition})
