"""The page's own routes: itself at /, what it shows and does below /_local/, and the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from local.page.actions import Actions
from local.page.breaks import Breaks
from local.page.database import Database
from local.page.notes import Notes
from local.page.samples import Samples
from local.page.scene import Scene
from local.page.views import Views
from operate.console.guard import guard
from operate.console.pages import Pages

STATIC = Path(__file__).parent / "static"


@asynccontextmanager
async def served(app: web.Application, scene: Scene) -> AsyncIterator[None]:
    """Serve the page from an application for as long as the context lasts."""
    notes = Notes()
    notes.read(scene.logs.directory)
    scene.logs.listeners.append(notes.note)
    breaks = Breaks(scene)
    database = Database(scene.database_url)
    views = Views(scene, database, notes, breaks)
    actions = Actions(scene, breaks, Samples(scene.root / "events"))
    app.middlewares.append(guard)
    app.router.add_get("/", _index)
    app.router.add_static("/_local/static", STATIC)
    views.add_routes(app.router)
    Pages(scene.root, {"environment": "local"}).add_routes(app.router)
    actions.add_routes(app.router)
    try:
        yield
    finally:
        scene.logs.listeners.remove(notes.note)
        await database.close()


async def _index(_: web.Request) -> web.FileResponse:
    return web.FileResponse(STATIC / "index.html")
