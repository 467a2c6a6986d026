"""What it looks like: on narrow and wide screens, in every theme, with every kind of text."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.color import Color
from textual.content import Content
from textual.geometry import Offset
from textual.selection import Selection

from tests.tui.conftest import OpenMessenger
from tests.tui.fake_endpoint import CAST, FakeEndpoint
from tui.contract import Persona
from tui.history import History, Message
from tui.text import HUES, clean, hue
from tui.theme import THEMES
from tui.widgets.avatar import AVATAR_WIDTH, avatar
from tui.widgets.bubble import THEIRS, draw_bubble
from tui.widgets.turn import Turn

NOON = datetime(2024, 5, 17, 12, 0).timestamp()  # local time is what is shown
DAY = 24 * 3600


@pytest.mark.parametrize("width", [60, 62, 79])
async def test_a_narrow_screen_shows_the_conversation_and_ctrl_b_the_list(messenger: OpenMessenger, width: int) -> None:
    async with messenger(size=(width, 24)) as at:
        assert not at.messenger.contacts.display
        assert "Bea Quillfeather" not in at.seen()
        await at.pilot.press("ctrl+b")
        await at.until(lambda: "Bea Quillfeather" in at.seen())
        assert not at.messenger.query_one("#main").display
        await at.pilot.press("down", "enter")
        await at.until(lambda: at.chat.persona.id == "bea" and not at.messenger.contacts.display)


async def test_a_wide_screen_shows_both_and_ctrl_b_hides_the_list(messenger: OpenMessenger) -> None:
    async with messenger(size=(80, 24)) as at:
        assert at.messenger.contacts.display
        await at.pilot.press("ctrl+b")
        await at.until(lambda: not at.messenger.contacts.display)
        await at.pilot.press("ctrl+b")
        await at.until(lambda: at.messenger.contacts.display)


async def test_the_screen_follows_its_terminal(messenger: OpenMessenger) -> None:
    async with messenger(size=(100, 30)) as at:
        await at.say("hey")
        for width, height in ((60, 20), (40, 12), (20, 6), (120, 40)):
            await at.pilot.resize_terminal(width, height)
            await at.pilot.pause(0.05)
            assert all(len(row) <= width for row in at.seen().split("\n"))
        assert at.said()[0] == ("mine", "hey")


async def test_mine_are_right_and_theirs_left(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.say("milo", "a\nlonger than a")
    async with messenger() as at:
        await at.say("hey")
        rows = at.seen().split("\n")
        mine, theirs = (next(row for row in rows if f" {text} " in row[32:]) for text in ("hey", "longer than a"))
        assert mine.rstrip()[:60].strip() == ""
        assert len(mine.rstrip()) == 97  # one cell of the bubble after it, and the scrollbar's
        assert theirs.rindex("longer") == 35


async def test_markup_and_escape_sequences_are_text(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.models = [{**CAST[0], "greenroom": {"speaker": "[red]Milo[/]\x1b[31m", "about": "[link=x]y"}}]
    fake.say_pieces("milo", ["[bold]loud[/bold] [/", "nonsense] \x1b[3", "1mred\x1b[0m $x @click=app.quit"])
    async with messenger() as at:
        await at.say("[reverse]mine[/reverse] [@click=app.quit]x[/]")
        assert at.said() == [
            ("mine", "[reverse]mine[/reverse] [@click=app.quit]x[/]"),
            ("theirs", "[bold]loud[/bold] [/nonsense] red $x @click=app.quit"),
        ]
        assert "[bold]loud[/bold] [/nonsense] red" in at.seen()
        assert "[red]Milo[/]" in at.seen()
        assert "\x1b" not in at.seen()
        await at.pilot.press("ctrl+p", *"milo")
        await at.until(lambda: "Chat with [red]Milo[/]" in at.seen())
        assert "[link=x]y" in at.seen()


@pytest.mark.parametrize(
    "text",
    [
        "😀 wide",
        "👨‍👩‍👧 family",
        "漢字かな",
        "שלום עולם",
        "مرحبا",
        "e\u0301\u0301\u0301",
        "🏳️‍🌈",
        "\u202etxt.exe",
    ],
)
async def test_no_text_breaks_the_layout(fake: FakeEndpoint, messenger: OpenMessenger, text: str) -> None:
    fake.say("milo", f"{text}\n{text * 30}")
    async with messenger(size=(90, 28)) as at:
        await at.say(text)
        strips = at.app.screen._compositor.render_strips(at.app.size)
        assert {strip.cell_length for strip in strips} == {90}
        for turn in at.turns():
            assert all(row.content.cell_length <= 55 for row in turn.rows(55))


async def test_days_are_told_apart(messenger: OpenMessenger, history_file: Path) -> None:
    times = iter([NOON - 400 * DAY] * 3 + [NOON - 3 * DAY, NOON - DAY, NOON, NOON + 1])
    history = History(history_file, now=lambda: next(times))
    conversation = history.conversation("milo")
    for text in ("long ago", "still then", "tuesday", "thursday", "today", "and now"):
        history.add(conversation, "user", "Juno", text)
    history.close()
    async with messenger(now=lambda: NOON + 60, size=(100, 40)) as at:
        await at.drawn()
        seen = at.seen()
        for label in ("Thursday 13 April 2023", "Tuesday 14 May", "Yesterday", "Today", "12:00"):
            assert seen.count(label) >= 1
        assert seen.index("Yesterday") < seen.index("thursday") < seen.index("Today")


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_everything_can_be_read_in_every_theme(
    fake: FakeEndpoint, messenger: OpenMessenger, theme: object
) -> None:
    name = getattr(theme, "name", "")
    async with messenger() as at:
        at.app.theme = name
        await at.say("hey")
        variables = at.app.theme_variables
        ground = Color.parse(variables["bubble-theirs"])
        assert _contrast(Color.parse(variables["bubble-theirs-text"]), ground) >= 7
        mine = Color.parse(variables["bubble-mine"])
        assert _contrast(Color.parse(variables["bubble-mine-text"]), mine) >= 7
        for number in range(HUES):
            colour = Color.parse(variables[f"persona-{number}"])
            assert _contrast(colour, ground) >= 4.5
            assert _contrast(colour, Color.parse(variables["background"])) >= 4.5
            assert _contrast(Color.parse(variables["avatar-text"]), colour) >= 4.5


@pytest.mark.slow
async def test_textuals_own_themes_work_too(messenger: OpenMessenger) -> None:
    async with messenger() as at:
        await at.say("hey")
        for name in at.app.available_themes:
            at.app.theme = name
            await at.pilot.pause()
        assert "hey" in at.seen()


def _contrast(one: Color, other: Color) -> float:
    """Return the contrast ratio of WCAG 2.1 between two opaque colours, from 1 to 21."""

    def luminance(colour: Color) -> float:
        channels = [part / 255 for part in colour.rgb]
        red, green, blue = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["Milo Tarkwhistle", "x", "李 雷", "👋 hi", ""])
def test_every_avatar_has_the_same_size(name: str) -> None:
    upper, lower = avatar(Persona("some-id", name))
    assert upper.cell_length == lower.cell_length == AVATAR_WIDTH


async def test_a_persona_keeps_its_colour_wherever_it_is(fake: FakeEndpoint, messenger: OpenMessenger) -> None:
    fake.models = list(reversed(CAST))
    async with messenger(wanted="milo") as at:
        await at.say("hey")
        tone = Color.parse(at.app.theme_variables[f"persona-{hue('milo')}"])
        assert tone.hex.lower() in at.app.export_screenshot().lower()


async def test_a_picture_of_it(fake: FakeEndpoint, messenger: OpenMessenger, tmp_path: Path) -> None:
    """Makes the README's picture: set GREENROOM_PICTURE to a file name and run this test alone."""
    fake.say("bea", "the beans are up\ncome round sunday, bring a bucket")
    fake.say("milo", "hey\nnah i was asleep lol, the gig ran until three\nwhat's up with you?")
    fake.hold("milo", "oh nice\nask her if she still has my\namp", after=8)
    async with messenger(now=lambda: NOON, wanted="bea", size=(96, 28)) as at:
        await at.say("how is the garden?")
        await at.pilot.press("alt+up")
        await at.until(lambda: at.chat.persona.id == "milo")
        await at.say("hey, what's up?")
        await at.say("seeing Bea on sunday,\nwant anything from the allotment?", wait=False)
        await at.until(lambda: at.chat.reply and at.chat.reply.message and "still" in at.chat.reply.message.text)
        await at.drawn()
        svg = at.app.export_screenshot(title="greenroom chat")
    for text in ("Milo", "Bea", "oh&#160;nice", "typing…"):
        assert text in svg
    (Path(os.environ.get("GREENROOM_PICTURE") or tmp_path / "picture.svg")).write_text(svg, encoding="utf-8")


def test_what_is_copied_is_the_message_without_name_time_and_edges() -> None:
    text = "a line that is long enough to be wrapped twice over"
    message = Message(1, 1, "assistant", "Milo", f"hey\n{text}", NOON, NOON, "whole")
    turn = Turn(message, Persona("milo", "Milo"))
    turn.place(day="Today", first=True, fading=False)
    rows = turn.rows(30)
    plain = [row.content.plain for row in rows]
    assert [line.strip(" ▄") for line in plain[:4]] == ["Today", "", "Milo", "hey"]
    assert turn.get_selection(Selection(None, None)) == (f"hey\n{text}", "\n")
    last = next(number for number, line in enumerate(plain) if "over" in line)
    to_be = Selection(Offset(1, 3), Offset(2, 3))
    assert turn.get_selection(to_be) == ("h", "\n")
    assert turn.get_selection(Selection(Offset(0, last), None)) == ("twice over"[-len(rows[last].text) :], "\n")


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(4, 120))
def test_a_bubble_shows_every_word_and_stays_in_its_width(text: str, width: int) -> None:
    shown = clean(text)
    rows = draw_bubble(THEIRS, shown, Content("Milo"), "12:00", width)
    assert "".join("".join(row.text.split()) for row in rows) == "".join(shown.split())
    assert len({row.content.cell_length for row in rows}) == 1
    if width >= 10:
        assert max(row.content.cell_length for row in rows) <= width
