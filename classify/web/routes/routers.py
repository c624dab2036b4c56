"""The routers of the application, in the order of the API's document."""

from classify.web.routes import about, videos

ROUTERS = (about.router, videos.router)
