r"""Text from elsewhere as a terminal may show it: names of files, labels, and what other programs say.

A name may hold anything. Control characters clear the screen, colour it or forge a line that begins with "Error:", and
marks of writing direction turn a name around. So they are written as in a string of Python: `\x1b`, `\u202e`. Files and
JSON keep the text exactly.
"""

import re
import unicodedata

# Source: Unicode 16, general categories Cc, Cf, Cs, Zl and Zp. Not here: joiners between letters or emoji that need
# them, and the signs of Arabic numbers, which are seen.
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
    "|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"
)
_JOINER = "\u200d"
_AS_EMOJI = "\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_CUT = "…"
_PLAIN_WORD = re.compile(r"[\w@%+=:,./-]+", re.ASCII)


def shown(text: str, *, keeps_lines: bool = False) -> str:
    r"""Return a text whose control characters are written out, so that it stays on its line.

    Args:
        text: may hold anything, also bytes that are no UTF-8 (surrogateescape).
        keeps_lines: True leaves the ends of lines, for a text of lines that have been made safe.

    >>> shown("a\x1b[2Jb\nError: c"), shown("caf\udce9 \u202egpj.exe")
    ('a\\x1b[2Jb\\nError: c', 'caf\\udce9 \\u202egpj.exe')
    """
    if keeps_lines:
        return "\n".join(map(shown, text.split("\n")))
    return _UNSEEN.sub(lambda found: found.group().encode("unicode_escape", "surrogatepass").decode(), text)


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a shown text takes: two for a character of Chinese, and for an emoji.

    >>> columns_of("kick"), columns_of("踢"), columns_of("é"), columns_of("👩‍🚒")
    (4, 2, 1, 2)
    """
    if text.isascii():
        return len(text)
    count, before = 0, ""
    for character in text:
        count += _width_of(character, before)
        before = character
    return count


def _width_of(character: str, before: str) -> int:
    if character == _AS_EMOJI:  # a sign that is narrow without it, as in a red heart
        return int(bool(before) and unicodedata.east_asian_width(before) not in "WF")
    if before == _JOINER or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    if ord(character) in _SKIN_TONES and before:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def pad_right(text: str, columns: int) -> str:
    """Return a text with spaces behind it, so that it takes this many columns at least."""
    return text + " " * (columns - columns_of(text))


def pad_left(text: str, columns: int) -> str:
    """Return a text with spaces before it, so that it takes this many columns at least."""
    return " " * (columns - columns_of(text)) + text


def cut_columns(text: str, columns: int, mark: str = _CUT) -> str:
    """Return a text that takes at most this many columns; a mark ends one that is cut.

    >>> cut_columns("hand_shake", 6), cut_columns("踢踢踢", 5), cut_columns("hug", 6)
    ('hand_…', '踢踢…', 'hug')
    """
    if columns_of(text) <= columns:
        return text
    end = len(text)
    while end and columns_of(text[:end]) > columns - len(mark):
        end -= 1
    return text[:end] + mark


def fold(text: str, columns: int, *, first: str = "", others: str = "") -> str:
    """Return a shown text in lines of at most this many columns, except for a word that is longer.

    Args:
        text: its spaces are where lines may end.
        columns: of a terminal.
        first: stands before the first line.
        others: stands before the others.

    >>> print(fold("拥抱 拥抱 ab", 9, others="  "))
    拥抱 拥抱
      ab
    """
    lines, line, is_empty = [], first, True
    for gap, word in re.findall("( *)([^ ]+)", text):
        if not is_empty and columns_of(line) + len(gap) + columns_of(word) > columns:
            lines.append(line)
            line, is_empty = others, True
        line, is_empty = f"{line}{'' if is_empty else gap}{word}", False
    return "\n".join([*lines, line])


def shell_word(word: str) -> str:
    r"""Return a word as one types it in a shell; control characters as $'...', which bash, zsh and ksh read.

    >>> shell_word("a.mp4"), shell_word("a b"), shell_word("a\x1b[2J"), shell_word("it's")
    ('a.mp4', "'a b'", "$'a\\x1b[2J'", '\'it\'"\'"\'s\'')
    """
    if _PLAIN_WORD.fullmatch(word):
        return word
    if not _UNSEEN.search(word):
        return "'" + word.replace("'", "'\"'\"'") + "'"
    return "$'" + "".join(_typed(character) for character in word) + "'"


def _typed(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if not _UNSEEN.fullmatch(character):
        return character
    is_byte = "\udc80" <= character <= "\udcff"  # of a name that is no UTF-8
    written = character.encode(errors="surrogateescape" if is_byte else "surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in written)


def operand(path: str) -> str:
    """Return a path that a command takes as a path, even if it begins with a dash.

    >>> operand("-v"), operand("videos/"), operand("/-v")
    ('./-v', 'videos/', '/-v')
    """
    return f"./{path}" if path.startswith("-") else path
