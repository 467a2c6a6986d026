"""Pages as Telegram Desktop writes them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import escape
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Reading, Record, Tear
from train.sources.telegram_html import SOURCE

Read = Callable[..., list[Record]]
AT = "05.03.2024 10:00:00 UTC+01:00"


def block(
    number: int, text: str = "hi", name: str | None = "Zoë", at: str = AT, inner: str = "", after: str = ""
) -> str:
    """A message; without a name it is joined to the one before."""
    joined = "" if name else " joined"
    from_name = f'\n       <div class="from_name">\n{escape(name)} \n       </div>\n' if name else ""
    words = f'\n       <div class="text">\n{text}\n       </div>\n' if text else ""
    return f"""
     <div class="message default clearfix{joined}" id="message{number}">
      <div class="pull_left userpic_wrap"><div class="userpic userpic1"><div class="initials">Z</div></div></div>
      <div class="body">
       <div class="pull_right date details" title="{at}">
10:00
       </div>
{from_name}{inner}{words}{after}
      </div>
     </div>
"""


def forward(text: str, origin: str | None, inner: str = "") -> str:
    name = (
        f'<div class="from_name">\n{origin} <span class="date details" title="{AT}"> x</span>\n</div>' if origin else ""
    )
    return f'<div class="forwarded body">\n{name}{inner}<div class="text">\n{text}\n</div></div>'


def media(classes: str, title: str, status: str = "") -> str:
    return f"""<div class="media_wrap clearfix"><div class="media clearfix pull_left {classes}"><div class="body">
       <div class="title bold">\n{title}\n</div><div class="status details">\n{status}\n</div></div></div></div>"""


@pytest.fixture
def page(tmp_path: Path) -> Callable[..., Path]:
    def write(*blocks: str, file: str = "messages.html", end: str = "</body></html>") -> Path:
        folder = tmp_path / "ChatExport_2024-03-05"
        folder.mkdir(exist_ok=True)
        head = '<!DOCTYPE html><html><head><meta charset="utf-8"/><title>Exported Data</title></head><body>'
        header = (
            '<div class="page_wrap"><div class="page_header"><div class="content"><div class="text bold">\nBoat club \n'
        )
        text = f'{head}{header}</div></div></div><div class="page_body"><div class="history">{"".join(blocks)}</div></div></div>{end}'
        (folder / file).write_text(text, "utf-8")
        return folder

    return write


def kept(records: list[Record]) -> list[Message]:
    return [one for one in records if isinstance(one, Message)]


def test_joined_messages_have_the_sender_before_them_also_in_the_next_file(
    page: Callable[..., Path], read: Read
) -> None:
    page(block(1), block(2, "more", None), block(3, "yo", "Mia"))
    page(block(12, "ten", "Zoë"), file="messages10.html")
    records = read(page(block(4, "still Mia", None), file="messages2.html"), "telegram-html")
    assert [(m.id, m.sender_name, m.text) for m in kept(records)] == [
        (1, "Zoë", "hi"), (2, "Zoë", "more"), (3, "Mia", "yo"), (4, "Mia", "still Mia"), (12, "Zoë", "ten"),
    ]  # fmt: skip
    assert Chat("telegram", "html:boat club", "Boat club", ChatKind.PERSONAL) in records


@pytest.mark.parametrize(
    ("at", "zone", "expected"),
    [
        ("05.03.2024 10:00:00 UTC+01:00", "Europe/Berlin", "2024-03-05T09:00:00+00:00"),
        # The clock showed summer time, the page says the offset of winter.
        ("05.07.2024 10:00:00 UTC+01:00", "Europe/Berlin", "2024-07-05T08:00:00+00:00"),
        ("05.07.2024 10:00:00 UTC-05:00", "Europe/Berlin", "2024-07-05T15:00:00+00:00"),
        ("05.07.2024 10:00:00", "Asia/Tokyo", "2024-07-05T01:00:00+00:00"),
    ],
)
def test_the_printed_offset_ignores_summer(
    page: Callable[..., Path], read: Read, at: str, zone: str, expected: str
) -> None:
    (message,) = kept(read(page(block(1, at=at)), timezone=zone))
    assert message.time_ms == datetime.fromisoformat(expected).timestamp() * 1000


def test_forwards_are_their_writers_words(page: Callable[..., Path], read: Read) -> None:
    found = kept(read(page(
        block(1, "", inner=forward("first", "Ann")), block(2, "", None, inner=forward("second", None)), block(3, "own", None),
        block(4, "", "Mia", inner=forward("gone", "Deleted Account")),
    )))  # fmt: skip
    assert [(m.sender_name, m.text, m.forwarded_from) for m in found] == [
        ("Zoë", "first", "Ann"), ("Zoë", "second", "Ann"), ("Zoë", "own", None), ("Mia", "gone", ""),
    ]  # fmt: skip


def test_text_is_as_it_shows(page: Callable[..., Path], read: Read) -> None:
    text = 'a <strong>b</strong>c<br>d &lt;3 &amp; <a href="x">link</a>  two<br><br><pre>x  y</pre>😭<em> e</em>'
    assert kept(read(page(block(1, text))))[0].text == "a bc\nd <3 & link  two\n\nx  y😭 e"


def test_replies_and_reactions(page: Callable[..., Path], read: Read) -> None:
    link = '<div class="reply_to details">In reply to <a href="{}#go_to_message7" onclick="return GoToMessage(7)">this</a></div>'
    elsewhere = '<div class="reply_to details">In reply to a message in another chat</div>'
    people = '<span class="userpics"><div class="userpic"><div class="initials" title="Mia Moss">M</div></div></span>'
    reactions = f'<span class="reactions"><span class="reaction active"><span class="emoji">\n❤\n</span>{people}</span>'
    reactions += '<span class="reaction"><span class="emoji">👍</span><span class="count">2</span></span></span>'
    found = kept(read(page(
        block(8, inner=link.format("messages2.html"), after=reactions), block(9, inner=elsewhere),
        block(10, "", inner=forward("x", "Ann", link.format(""))),
    )))  # fmt: skip
    assert [m.reply_to for m in found] == [7, None, 7]
    assert found[0].reactions == '[["❤",1,"html:mia moss"],["👍",2]]'


def test_media_are_what_they_are(page: Callable[..., Path], read: Read) -> None:
    found = kept(read(page(
        block(1, "look", inner=media("media_photo", "Photo", "Not included, change data exporting settings to download.")),
        block(2, "", inner=media("media_voice_message", "Voice message", "00:04")),
        block(3, "", inner=media("media_photo", "Sticker", "😺, 30.1 KB")),
        block(4, "", inner=media("media_call", "Zoë", "Outgoing (5 seconds)")),
        block(5, "", inner='<div class="media_wrap clearfix"><div class="media_poll"><div class="question bold">\nWhere?\n</div></div></div>'),
        block(6, "", inner='<div class="media_wrap clearfix"><a class="photo_wrap clearfix pull_left" href="p.jpg"></a></div>'),
    )))  # fmt: skip
    assert [(m.kind, m.text) for m in found] == [
        (Kind.PHOTO, "look"), (Kind.VOICE, ""), (Kind.STICKER, "😺"), (Kind.CALL, ""), (Kind.POLL, "Where?"),
        (Kind.PHOTO, ""),
    ]  # fmt: skip


def test_deleted_accounts_have_no_name_and_words_of_inline_bots_are_nobodys(
    page: Callable[..., Path], read: Read
) -> None:
    found = kept(read(page(block(1, name="Deleted Account"), block(2, "found it", "Mia via @pic"))))
    assert [(m.sender_name, m.forwarded_from) for m in found] == [(None, None), ("Mia", "pic")]


def test_lines_of_the_page_are_dropped_with_a_reason(page: Callable[..., Path], read: Read) -> None:
    service = '<div class="message service" id="message{}"><div class="body details">\n{}\n</div></div>'
    records = read(
        page(service.format(-1, "5 March 2024"), service.format(3, "Zoë pinned a message"), block(4), block(5, ""))
    )
    assert [(one.reason, one.place) for one in records if isinstance(one, Drop)] == [
        ("a line between days", "messages.html, message -1"),
        ("a service line without a date", "messages.html, message 3"), ("nothing in it", "messages.html, message 5"),
    ]  # fmt: skip


def test_pages_that_break_off_or_are_no_pages(page: Callable[..., Path], read: Read) -> None:
    page(block(1), block(2, "cut"), end="")
    (folder := page(file="messages2.html") / "messages3.html").write_bytes(b"")
    records = read(folder.parent)
    assert [m.id for m in kept(records)] == [1, 2]
    assert [one.place for one in records if isinstance(one, Tear)] == ["messages.html", "messages3.html"]
    assert any("prefer JSON" in one.text for one in records if isinstance(one, Note))


quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
lines = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=20).map(lambda line: f"w{line}w")
texts = st.lists(lines, min_size=1, max_size=3).map("\n".join)


@quick
@given(
    st.lists(
        st.tuples(st.sampled_from(["Mia", "Zoë 😺", "Дима"]), texts, st.integers(0, 10**8)), min_size=1, max_size=20
    )
)
def test_any_chat_comes_back(tmp_path: Path, page: Callable[..., Path], rows: list[tuple[str, str, int]]) -> None:
    before, blocks, expected = None, [], []
    for number, (who, text, second) in enumerate(rows, 1):
        when = datetime(2015, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
        stamp = f"{when:%d.%m.%Y %H:%M:%S} UTC+00:00"
        blocks.append(block(number, escape(text).replace("\n", "<br>"), None if who == before else who, stamp))
        expected.append((who, text, when.timestamp() * 1000))
        before = who
    found = kept(list(SOURCE.read(page(*blocks), Reading(timezone="UTC"))))
    assert [(m.sender_name, m.text, m.time_ms) for m in found] == expected
