"""`embed_videos`: sources -> frames -> vectors -> store, all stages at once.

In: sources, a store's path, and an `EmbedConfig`.
Out: the store, an `EmbedSummary`, and a log if one is asked for.
Read first: `pipeline.py`; `config.py` has what can be set, `encoding.py` how batches are filled.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
