"""The collection as the page shows it: a store, what the head says of its videos, and what people say.

In: a head's folder and a store, which may change while the server runs.
Out: `Library`, which has the newest `Collection` at any moment; pages of it, sorted and filtered.
Read first: `collection.py`; then `library.py` for how changes are followed, `listing.py` for filters and orders.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
