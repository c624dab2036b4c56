from .app import make_app as make_app
from .config import (
    ServeConfig as ServeConfig,
    UploadLimits as UploadLimits,
    check_web_packages as check_web_packages,
)
from .serving import serve_videos as serve_videos
