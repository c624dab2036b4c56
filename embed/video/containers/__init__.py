"""What a container's own bytes show, beside what FFmpeg tells of them.

In: the path of a local file, and its open stream.
Out: `is_encrypted`, and `has_encryption` of a single packet.
Read first: `encryption.py`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
