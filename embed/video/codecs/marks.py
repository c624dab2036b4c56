"""The marks of a packet: whether decoding can begin there, what may be left out, and what must not be.

A container marks key frames, but not whether the pictures around a key frame refer across it, nor which pictures no
other picture refers to. The first bytes of the pictures show both.
"""

from collections.abc import Callable

ENTRY = 1  # decoding can begin here: later pictures refer to nothing before it, except leading pictures (see OPEN)
OPEN = 2  # together with ENTRY: pictures shown before this one may follow it, and refer to pictures before it
DISPOSABLE = 4  # no other picture refers to this one, and it changes nothing that later ones are decoded with
HIDDEN = 8  # shows no picture of its own
SKIPPED = 16  # refers to pictures before an open entry, and cannot be decoded when decoding begins there
PARAMETERS = 32  # carries parameter sets, which are needed to read later pictures
LAYERED = 64  # has a higher sub-layer, whose pictures may refer to those that are DISPOSABLE below it
UNPROVEN = 128  # not covered by the rules: decode the whole stream in order
PREDICTED = 256  # refers to another picture, though its container may call it a key frame (AVI without an index does)
PYRAMIDAL = 512  # an H.264 B-picture that others may refer to
TRAILED = 1024  # only the picture that it shows is DISPOSABLE: pictures that are not shown precede that one
LASTING = 2048  # changes what later pictures are decoded with (`embed.video.codecs.lasting`): it is always sent whole

Rule = Callable[[bytes, bool], int]
"""A packet's bytes, and True if its container marks it as a key frame -> the packet's marks."""
