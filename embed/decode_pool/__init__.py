"""Decoding in separate processes, which are killed when they hang.

In: videos, how to decode them (`DecodePlan`), and limits of time and memory (`DecodeLimits`).
Out: `DecodedVideo`, in shared memory, or a failure with its reason. One broken video never stops the others.
Read first: `pool.py`; then `process.py` for one process as its parent sees it, `worker.py` for what runs inside,
and `answers.py` for what passes between them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
