"""Text from others is shown as text: it cannot move the cursor, recolour, reorder or forge anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.contract import Persona
from tui.text import (
    HUES,
    bubbles,
    clean,
    clean_name,
    hue,
    initials,
    last_line,
    near_names,
    pick_persona,
    unknown_persona,
)

ANYTHING = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b[]m31;\x07\\\x9b\x9d\r\n\t\u202e\u2028\ud83d\ude00"),
    )
)


@given(ANYTHING)
def test_nothing_that_steers_a_terminal_survives(text: str) -> None:
    cleaned = clean(text)
    assert all(character == "\n" or ord(character) >= 0x20 for character in cleaned)
    assert not any(0x7F <= ord(character) <= 0x9F for character in cleaned)
    assert not any(character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069" for character in cleaned)
    cleaned.encode("utf-8")  # no lone surrogates: the terminal and SQLite would refuse them


@given(ANYTHING, ANYTHING)
def test_a_growing_text_only_ever_grows(start: str, more: str) -> None:
    assert clean(start + more).startswith(clean(start))


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"])))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;owned\x07title", "title"),
        ("\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\", "click"),
        ("\x9b2Jgone", "gone"),
        ("a\tb", "a    b"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("safe\u202eexe.txt", "safeexe.txt"),
        ("\ud83d\ude00", "😀"),
        ("half \ud83d", "half "),
        ("family 👨‍👩‍👧", "family 👨‍👩‍👧"),
        ("שלום", "שלום"),
        ("[bold]not markup[/bold]", "[bold]not markup[/bold]"),
    ],
)
def test_what_is_shown_of_hostile_and_of_honest_text(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_each_line_is_a_bubble_and_blank_lines_are_none() -> None:
    assert bubbles("hey\n\n  \nwhat's up  \n") == ["hey", "what's up"]
    assert last_line("hey\nwhat's   up\n") == "what's up"
    assert last_line("") == ""


def test_a_name_is_one_short_line() -> None:
    assert clean_name(" Milo\n\x1b[1mTark  whistle ") == "Milo Tark whistle"
    assert len(clean_name("x" * 500)) == 60


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Milo Tarkwhistle", "MT"),
        ("bea", "Be"),
        ("plain-model", "PM"),
        ("", "?"),
        ("👋", "?"),
        ("李 雷", "李雷"),
    ],
)
def test_initials(name: str, letters: str) -> None:
    assert initials(name) == letters


@given(st.text())
def test_everybody_has_one_of_the_colours(identifier: str) -> None:
    assert 0 <= hue(identifier) < HUES


def test_a_colour_is_the_same_in_every_run() -> None:
    assert [hue("milo"), hue("bea")] == [11, 0]


CAST = [Persona("milo", "Milo Tarkwhistle"), Persona("bea", "Bea Quillfeather")]


@pytest.mark.parametrize("wanted", ["milo", "MILO", "Milo Tarkwhistle", " milo tarkwhistle"])
def test_a_persona_is_found_by_id_or_name(wanted: str) -> None:
    assert pick_persona(CAST, wanted) is CAST[0]


@pytest.mark.parametrize("wanted", ["mlo", "mil", "tarkwistle", "Milos"])
def test_near_names(wanted: str) -> None:
    assert near_names(CAST, wanted) == ["milo"]


def test_an_unknown_persona_is_answered_with_what_there_is() -> None:
    assert unknown_persona(CAST, "zzz") == ("there is no persona “zzz”", "near names: milo, bea")
    assert "none at all" in unknown_persona([], "zzz")[0]
