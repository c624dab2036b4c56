"""Pictures and files of videos.

In: where a video lies, by the store's own table, and never a path of a visitor.
Out: JPEGs of single frames, decoded in processes that can be killed; what kind of video a file's first bytes are.
Read first: `frames.py`; then `frame_worker.py` for what runs inside its processes, and `kinds.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
