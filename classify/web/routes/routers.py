"""The routers of the application, in the order of the API's document."""

from classify.web.routes import about, corrections, overview, searching, tagging, videos

ROUTERS = (about.router, videos.router, overview.router, searching.router, tagging.router, corrections.router)
