"""The calls of the API.

In: requests that the guard has let through.
Out: JSON (`Answer`), pictures and files; errors as {"error": {"code": ..., "message": ...}}.
Read first: `about.py` for the simplest; then `videos.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
