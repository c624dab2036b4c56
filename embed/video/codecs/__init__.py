"""What the bytes of a packet say: which pictures lean on which, where decoding can start, what can be left out.

In: packets of H.264, HEVC, AV1, VP8, VP9, MPEG-2 and MPEG-4, as bytes.
Out: `rule_for`, which says of each packet whether decoding can begin there and whether it can be skipped.
Read first: `bitstreams.py`; the headers of single codecs stand beside it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
