"""The whole page: the API, the files that a browser is given, and what stands before them."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from fetometry import __version__
from fetometry.pipeline import Settings
from fetometry.serve.web import problems
from fetometry.serve.web.desk import Desk
from fetometry.serve.web.routes import change_routes, exam_routes, file_routes, house_routes
from fetometry.serve.web.security import API, Guard, Sessions
from fetometry.serve.web.settings import WebSettings
from fetometry.serve.web.store import Store

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

STATIC = Path(__file__).parent / "static"

DESCRIPTION = (
    "Look at, correct and sign off fetal biometry. Research use only; not for diagnosis. Points "
    "are (row, col) in pixels of the image; what changes something needs the header "
    "`X-Fetometry: 1`."
)


def make_app(settings: WebSettings) -> Guard:
    """Return the page as an ASGI application; the model is loaded here, once.

    Raises:
        FetometryError: the folder or the model cannot be used.
    """
    house = Settings(model=settings.model, profile=settings.profile)
    _ = house.predictor
    desk = Desk(settings, house, Store(settings.data))
    sessions = Sessions(settings.token)
    app = FastAPI(
        title="fetometry",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses={},
    )
    problems.install(app)
    routers = (exam_routes(desk), change_routes(desk), file_routes(desk))
    for router in (*routers, house_routes(desk, sessions)):
        app.include_router(router, prefix=API)
    # before the files: they would answer what is no route with a page that is not there
    app.add_api_route(
        "/api/{rest:path}", problems.nothing_here, methods=METHODS, include_in_schema=False
    )
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="static")
    return Guard(app, settings, sessions, desk)
