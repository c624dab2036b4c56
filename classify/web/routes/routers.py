"""The routers of the application, in the order of the API's document."""

from classify.web.routes import about, corrections, overview, tagging, videos

ROUTERS = (about.router, videos.router, overview.router, tagging.router, corrections.router)
