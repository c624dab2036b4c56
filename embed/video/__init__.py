"""One local file -> its true timeline -> the frames that were asked for.

In: a path of this machine, and a sampling such as `UniformFrames(100)`.
Out: `Timeline` (from packets, not from headers) and `Frames`: rgb uint8 (T, W, H, W_px, 3), timestamps_s float64 (T,).
Read first: `timeline.py`, then `sampling.py`, `planning.py` and `decoding.py`, in the order that a video takes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
