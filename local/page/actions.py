"""What the page does: break, mend, and order what an event needs."""

from aiohttp import web

from local.page.breaks import Breaks, CannotBreakError
from local.page.samples import Samples
from local.page.scene import Scene
from operate.console.guard import refused


class Actions:
    """The requests that change something. Notifications are posted to the API itself."""

    def __init__(self, scene: Scene, breaks: Breaks, samples: Samples) -> None:
        self._scene = scene
        self._breaks = breaks
        self._samples = samples

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve them."""
        router.add_get("/_local/samples", self.samples)
        router.add_post("/_local/samples/{name}/order", self.order)
        router.add_put("/_local/breaks/{name}", self.press)
        router.add_delete("/_local/breaks/{name}", self.release)
        router.add_delete("/_local/breaks", self.release_all)

    async def samples(self, _: web.Request) -> web.Response:
        """Return what the form offers."""
        return web.json_response(self._samples.documents)

    async def order(self, request: web.Request) -> web.Response:
        """Order of the provider what an event needs, in place of the same orders from before."""
        wanted = self._samples.orders(request.match_info["name"])
        for standing in self._scene.provider.orders:
            if standing.order in wanted:
                self._scene.provider.withdraw(standing.id)
        self._scene.provider.give(*wanted)
        return web.Response(status=204)

    async def press(self, request: web.Request) -> web.Response:
        """Break something."""
        try:
            await self._breaks.press(request.match_info["name"])
        except KeyError:
            return refused(404, "There is no such button.")
        except CannotBreakError as error:
            return refused(409, str(error))
        return web.json_response(self._breaks.state())

    async def release(self, request: web.Request) -> web.Response:
        """Mend one thing."""
        try:
            await self._breaks.release(request.match_info["name"])
        except KeyError:
            return refused(404, "There is no such button.")
        return web.json_response(self._breaks.state())

    async def release_all(self, _: web.Request) -> web.Response:
        """Mend everything."""
        await self._breaks.release_all()
        return web.json_response(self._breaks.state())
