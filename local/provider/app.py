"""The provider as an aiohttp application."""

from aiohttp import web

from local.provider import control, ses, sns
from local.provider.provider import Provider
from operate.console.guard import local_only

# SES takes messages of up to 40 MB.
MAX_BODY = 40 * 1024 * 1024


def create_app(provider: Provider) -> web.Application:
    """Make the application that speaks SES v2, SNS and the provider's control."""
    app = web.Application(client_max_size=MAX_BODY, middlewares=[local_only])
    ses.add_routes(app, provider)
    sns.add_routes(app, provider)
    control.add_routes(app, provider)
    return app
