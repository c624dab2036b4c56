"""What a packet's bytes show: which pictures it refers to, whether decoding can begin there, and what can be left out.

In: a codec's name and its packets as bytes: H.264, HEVC, AV1, VP8, VP9, MPEG-2, MPEG-4, Motion JPEG, PNG and ProRes.
Out: `rule_for`, which returns the function that reads a packet's marks (`ENTRY`, `DISPOSABLE`, ...), and `stand_ins`.
Read first: `marks.py` and `lasting.py`; then the files for single codecs, `h264_references.py` last.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
