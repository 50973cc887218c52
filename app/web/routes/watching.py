"""For those who run the server: does it live, is it ready, what does it count."""

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import JSONResponse, PlainTextResponse, Response

from app.actions.check_readiness import ReadinessCheck, ReadinessReport
from app.web.access import Anyone, Operator, holds_operators_token
from app.web.observed import Metrics

router = APIRouter()


@router.get("/health")
def health(_viewer: Anyone) -> Response:
    """Say that the process lives; nothing else is asked."""
    return PlainTextResponse("ok")


@router.get("/ready")
def ready(request: Request, _viewer: Anyone) -> Response:
    """Say whether all that is needed works; which part does not, only the operator is told."""
    report = _report(request)
    status = 200 if report.ready else 503
    if not holds_operators_token(request):
        return PlainTextResponse("ready" if report.ready else "not ready", status_code=status)
    parts = {part.name: part.problem or "ok" for part in report.parts}
    return JSONResponse({"ready": report.ready, "parts": parts}, status_code=status)


@router.get("/metrics")
def metrics(request: Request, _operator: Operator) -> Response:
    """Give the counts of this process and the state of the queue, for Prometheus."""
    counted: Metrics = request.app.state.metrics
    report = _report(request)
    counted.ready.set(report.ready)
    if report.found is not None:
        age = report.found.heartbeat_seconds
        counted.heartbeat.set(-1 if age is None else age)
        counted.waiting.set(report.found.waiting_jobs)
        counted.failed.set(report.found.failed_jobs)
    return Response(generate_latest(counted.registry), media_type=CONTENT_TYPE_LATEST)


def _report(request: Request) -> ReadinessReport:
    check: ReadinessCheck = request.app.state.readiness
    return check.report()
