"""The routers of the application, in the order of the API's document."""

from classify.web.routes import about, corrections, tagging, videos

ROUTERS = (about.router, videos.router, tagging.router, corrections.router)
