"""The page: plain files, looked at anew at every visit and sent anew only where they changed."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent.parent / "static"
REVALIDATED = {"Cache-Control": "no-cache"}

router = APIRouter(include_in_schema=False)


class PageFiles(StaticFiles):
    """The files of the page, with an ETag each."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:  # noqa: ANN401 - Starlette's signature
        """Return a file, or 304 where the browser has it."""
        response = super().file_response(*args, **kwargs)
        response.headers.update(REVALIDATED)
        return response


@router.get("/")
async def page() -> FileResponse:
    """Return the page."""
    return FileResponse(FOLDER / "index.html", headers=REVALIDATED)


def add_page(app: FastAPI) -> None:
    """Serve the page and its files."""
    app.include_router(router)
    app.mount("/static", PageFiles(directory=FOLDER), name="static")
