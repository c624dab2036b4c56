"""Decoding in processes of its own, which are killed when they hang.

In: videos with what is wanted of each (`DecodePlan`), and limits of time and memory (`DecodeLimits`).
Out: `DecodedVideo`, in shared memory, or a failure with its reason; one broken video never stops the others.
Read first: `pool.py`; `process.py` is one process seen from outside, `worker.py` what runs inside it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
