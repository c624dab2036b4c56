"""The application: its routes, its errors, the files of the page, and the guard in front of all."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from classify.web.answers import Answer, ApiError
from classify.web.config import ServeConfig
from classify.web.guard import Guard
from classify.web.metrics import Counted
from classify.web.routes import ROUTERS
from classify.web.service import Service

PAGE = Path(__file__).parent / "page"

_log = logging.getLogger("framehead.web")


def make_app(config: ServeConfig) -> FastAPI:
    """Return the application. It begins to load when it is started, and answers before that ends.

    Args:
        config: what is served.
    """
    service = Service(config)

    @asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
        service.start()
        try:
            yield
        finally:
            service.stop()

    app = FastAPI(
        title="framehead",
        version=version("framehead"),
        description="Tag, search, look at and correct a collection of videos.",
        lifespan=live,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
    )
    app.state.service = service
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/", _page, include_in_schema=False)
    app.mount("/page", StaticFiles(directory=PAGE), name="page")
    app.add_exception_handler(ApiError, _tell)
    app.add_exception_handler(RequestValidationError, _tell_invalid)
    app.add_exception_handler(HTTPException, _tell_http)
    app.add_exception_handler(Exception, _tell_unforeseen)
    app.add_middleware(Guard, config=config)
    app.add_middleware(Counted, metrics=service.metrics)
    return app


async def _page() -> FileResponse:
    return FileResponse(PAGE / "index.html", media_type="text/html", headers={"Cache-Control": "no-cache"})


async def _tell(_: Request, error: Exception) -> Answer:
    assert isinstance(error, ApiError)
    return error.answer()


async def _tell_invalid(_: Request, error: Exception) -> Answer:
    """Say which value is wrong, without repeating it."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = " ".join(str(part) for part in first["loc"][1:]) or "the request"
    return ApiError(422, "invalid", f"{place}: {first['msg']}. See /openapi.json for what is taken.").answer()


async def _tell_http(_: Request, error: Exception) -> Answer:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    message = f"{phrase}. See /openapi.json for what this server answers to."
    return ApiError(error.status_code, phrase.lower().replace(" ", "_"), message, error.headers).answer()


async def _tell_unforeseen(request: Request, error: Exception) -> Answer:
    """Say nothing of what happened to a visitor; the log has it, without the address's query."""
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return ApiError(500, "fault", "The server has a fault here, which its log tells of. Please report it.").answer()
