"""One local video file -> its true timeline -> the requested frames.

In: the path of a local file, and a sampling such as `UniformFrames(100)`.
Out: `Timeline` (from packets, not from headers) and `Frames`: rgb uint8 (T, W, H, W_px, 3), timestamps_s float64 (T,).
Read first: `timeline.py`, then `sampling.py`, `planning.py` and `decoding.py`, the order in which a video passes them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
