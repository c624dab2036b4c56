"""`serve-videos`: a page and a JSON API for tagging, searching, looking at and correcting a collection.

In: a head's folder, a store, and a `ServeConfig`.
Out: a FastAPI application, and a server that runs it; one SQLite file beside the store with what people corrected.
Read first: `app.py`; then `guard.py` for who may ask, `collection/` for what is shown, `tagging/` for what is uploaded,
`media/` for pictures and files, and `routes/` for the calls. `page/` is what a browser loads.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
