"""Counts and their nouns, as every message writes them."""

_HISSING = ("s", "x", "z", "ch", "sh")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, which is plural unless the count is 1.

    Args:
        count: 0 or more.
        noun: the singular of an English noun that is regular, or "epoch". Of several words, the last becomes plural.

    >>> counted(1, "video"), counted(2, "video"), counted(0, "video")
    ('1 video', '2 videos', '0 videos')
    >>> counted(2, "class"), counted(1200, "key frame"), counted(3, "entry"), counted(2, "day"), counted(10, "epoch")
    ('2 classes', '1,200 key frames', '3 entries', '2 days', '10 epochs')
    """
    return f"{count:,} {noun if count == 1 else _plural(noun)}"


def size_text(size_bytes: int) -> str:
    """Return a size with its unit.

    >>> size_text(900), size_text(45_678), size_text(12_345_678), size_text(3_456_789_012)
    ('900 bytes', '45.7 KB', '12.3 MB', '3.5 GB')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f} {name}"
    return counted(size_bytes, "byte")


def _plural(noun: str) -> str:
    if noun.endswith(_HISSING) and not noun.endswith("epoch"):  # whose ch is a k
        return f"{noun}es"
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}s"
