"""`embed_videos`: sources -> frames -> vectors -> store, all stages at once.

In: sources, the path of a store, and an `EmbedConfig`.
Out: the store, an `EmbedSummary`, and a log if requested.
Read first: `pipeline.py`; then `config.py` for the settings, and `encoding.py` for how batches are filled.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
