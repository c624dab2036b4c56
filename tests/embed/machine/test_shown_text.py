import re
import shlex
import shutil
import subprocess
import unicodedata
from os import fsdecode, fsencode

import pytest
from hypothesis import given, settings, strategies as st

from embed.machine import columns_of, cut_columns, operand, pad_left, pad_right, shell_word, shown

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=20)


@settings(deadline=None)
@given(ANY)
def test_a_shown_text_has_no_character_that_is_not_seen(text: str) -> None:
    kinds = {unicodedata.category(character) for character in shown(text) if character not in "\u200c\u200d"}
    signs = {character for character in shown(text) if unicodedata.category(character) == "Cf"}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(sign) for sign in signs} & {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI"}


@pytest.mark.parametrize("text", ["踢球/动作.mp4", "hé à.mp4", "👩‍🚒.mp4", "می‌خواهم.mp4", "a b\\n.mp4", "شاهد.mp4"])
def test_a_text_that_is_seen_stays_as_it_is(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    "text",
    [
        *("\x1b[2J", "\x9b31m", "a\nError: b", "a\rb", "\x08\x08", "\x07", "\x85", "\u2028", "\x00", "a\tb"),
        *("\u202egpj", "\u2066a", "\u200e", "\u200bhug", "hu\u200dg", "\ufeffhug", "hu\u2060g", "\xadhug", "\udce9"),
        *("\U000e0041", "\u3164", "\ud83d"),
    ],
)
def test_what_moves_the_cursor_or_hides_is_written_out(text: str) -> None:
    assert re.search(r"\\[xunrtU]", shown(text))
    assert shown(shown(text)) == shown(text)


def test_the_lines_of_a_text_stay_if_they_are_asked_for() -> None:
    assert shown("a\n\x1b[2J\nb", keeps_lines=True) == "a\n\\x1b[2J\nb"


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("kick", 4),
        ("踢球", 4),
        ("é", 1),
        ("e\u0301", 1),
        ("👍", 2),
        ("👍🏽", 2),
        ("👩‍🚒", 2),
        ("❤️", 2),
        ("\uff4b", 2),
        ("ｶ", 1),
        ("", 0),
    ],
)
def test_columns_are_those_of_a_terminal(text: str, columns: int) -> None:
    assert columns_of(text) == columns


@settings(deadline=None)
@given(ANY, st.integers(1, 30))
def test_a_cut_text_fits_and_a_padded_one_fills(text: str, columns: int) -> None:
    cut = cut_columns(shown(text), columns)
    assert columns_of(cut) <= columns
    assert columns_of(pad_left(cut, columns)) == columns_of(pad_right(cut, columns)) == columns


@settings(deadline=None, max_examples=30)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12) | st.just(fsdecode(b"caf\xe9")))
def test_a_shell_reads_a_word_as_it_was(word: str) -> None:
    shell = shutil.which("bash")
    if shell is None:
        pytest.skip("needs bash")
    said = subprocess.run([shell, "-c", f"printf %s {shell_word(word)}"], capture_output=True, check=True).stdout
    assert said == fsencode(word)


@pytest.mark.parametrize("word", ["a.mp4", "a b", "it's", "", "$HOME", "a\\b", "*"])
def test_a_word_without_control_characters_is_quoted_as_python_does(word: str) -> None:
    assert shell_word(word) == shlex.quote(word)


def test_a_path_that_begins_with_a_dash_is_no_option() -> None:
    assert (operand("-v"), operand("--help"), operand("v/-a"), operand("-")) == ("./-v", "./--help", "v/-a", "./-")
