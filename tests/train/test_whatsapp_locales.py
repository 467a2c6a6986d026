"""WhatsApp exports of phones in other languages: their dates, their clocks, their calendars, the app's words."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel import Locale
from babel.dates import format_date, format_datetime

from tests.train.calendar_words import LOCALES, missing
from train.messages import Chat, ChatKind, Drop, Kind, Message, Owner, Record
from train.sources import whatsapp_words
from train.sources.whatsapp_headers import parse_header

Write = Callable[..., Path]
Messages = Callable[..., list[Message]]
Read = Callable[..., list[Record]]

TIMES = (
    datetime(2022, 8, 20, 14, 56, 7),
    datetime(2023, 1, 5, 0, 5, 9),
    datetime(2024, 12, 31, 12, 1),
    datetime(2024, 5, 3, 9, 41),
)
CLOCKS = ("HH:mm", "HH:mm:ss", "h:mm a", "h:mm:ss a", "h:mm B")
# "на обяд" is before and after noon; 12 in Colombia is "m."; Basque bends its months, and Vietnamese counts them.
UNREAD = {("bg", "h:mm B"), ("es_CO", "h:mm B")}
NO_WORDS = {"eu", "vi", "km", "mn", "my", "lt", "hy"}

PHRASES = json.loads(Path(whatsapp_words.__file__).with_name("whatsapp_phrases.json").read_text(encoding="utf-8"))
ANDROID = sorted(language for language, found in PHRASES.items() if {"omitted", "attached", "deleted"} <= set(found))
IOS = sorted(language for language, found in PHRASES.items() if "sticker" in found and language != "und")


def test_the_words_of_dates_are_those_of_the_installed_locale_data() -> None:
    assert missing() == {"periods": {}, "months": {}}, "run python -m tests.train.calendar_words"


@pytest.mark.parametrize("name", LOCALES)
@pytest.mark.parametrize("layout", ["{} - Zoë: hi", "[{}] Zoë: hi", "\u200e[{}] Zoë: hi"])
def test_printed_times_of_every_locale_are_read(name: str, layout: str) -> None:
    locale = Locale.parse(name)
    between = str(locale.datetime_formats["short"])
    for time in TIMES:
        for clock in CLOCKS:
            for length in ("short", "medium"):
                if (name, clock) in UNREAD or (length == "medium" and name in NO_WORDS):
                    continue
                day, hour = format_date(time, length, locale=locale), format_datetime(time, clock, locale=locale)
                line = layout.format(between.format(hour, day))
                header = parse_header(line)
                assert header is not None, line
                second = time.hour * 3600 + time.minute * 60 + (time.second if "ss" in clock else 0)
                assert (header.second, line[header.end :]) == (second, "Zoë: hi"), line


@pytest.mark.parametrize("name", LOCALES)
def test_dates_of_every_locale_are_read(name: str, whatsapp: Write, messages: Messages) -> None:
    locale = Locale.parse(name)
    between = str(locale.datetime_formats["short"])
    days = [datetime(2022, 1, 28), datetime(2022, 2, 3), datetime(2023, 11, 30), datetime(2023, 12, 1)]
    lines = [
        between.format(format_datetime(day, "HH:mm", locale=locale), format_date(day, "short", locale=locale))
        + " - Bob: x"
        for day in days
    ]
    kept = messages(whatsapp(*lines), timezone="UTC")
    assert [datetime.fromtimestamp(m.time_ms / 1000, UTC).replace(tzinfo=None) for m in kept] == days


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("[18/3/2565 BE, 14:56:01] ", "2022-03-18 14:56:01"),
        ("20/8/65 14:56 - ", "2022-08-20 14:56:00"),
        ("[27/3/R4, 21:41:35] ", None),
        ("[2022/3/27 21:41:35] ", "2022-03-27 21:41:35"),
        ("令和4年3月27日 21:41 - ", "2022-03-27 21:41:00"),
        ("111/8/20 下午2:56 - ", "2022-08-20 14:56:00"),
        ("2022/8/20 凌晨12:05 - ", "2022-08-20 00:05:00"),
        ("2022/8/20 晚上11:05 - ", "2022-08-20 23:05:00"),
        ("[1401/5/29، 14:56:01] ", "2022-08-20 14:56:01"),
        ("[۱۴۰۲/۱/۱، ۱۴:۵۶:۰۱] ", "2023-03-21 14:56:01"),
        ("[1403/12/30، 10:00:00] ", "2025-03-20 10:00:00"),
        ("20/8/16, 2:56:01 PM: ", "2016-08-20 14:56:01"),
        ("20/08/13 14:56:01: ", "2013-08-20 14:56:01"),
        ("[14:56:01, 20/8/22] ", "2022-08-20 14:56:01"),
        ("Aug 20, 2022, 2:56 PM - ", "2022-08-20 14:56:00"),
        ("20 de ago. de 2022 14:56 - ", "2022-08-20 14:56:00"),
        ("20. elokuuta 2022 klo 14.56 - ", "2022-08-20 14:56:00"),
        ("7/8/23, 3:05 in the afternoon - ", "2023-07-08 15:05:00"),
        ("20/08/2022 à 14 h 56 - ", "2022-08-20 14:56:00"),
    ],
)
def test_other_calendars_and_clocks(
    whatsapp: Write, messages: Messages, read: Read, printed: str, expected: str | None
) -> None:
    path = whatsapp(f"{printed}Alice: one", f"{printed}Bob: two")
    found = {datetime.fromtimestamp(m.time_ms / 1000, UTC).strftime("%F %T") for m in messages(path, timezone="UTC")}
    assert found == ({expected} if expected else {"2022-03-27 21:41:35"})


@pytest.mark.parametrize("language", ANDROID)
def test_android_in_every_language(language: str, whatsapp: Write, read: Read) -> None:
    words = PHRASES[language]
    lines = [f"13/2/24, 10:00 - {words['group'][0].replace('%', 'Ann')}"] if "group" in words else []
    bodies = [(words["omitted"][0], Kind.MEDIA, ""), ("hello", Kind.TEXT, "hello")]
    bodies += [(one.replace("%", "Ann"), Kind.DELETED, "") for one in words["deleted"]]
    files = [one for one in words["attached"] if one.startswith("% (")]
    bodies += [(one.replace("%", "IMG-1.jpg") + "\nat sea", Kind.PHOTO, "at sea") for one in files]
    bodies += [(f"hello <{one}>", Kind.TEXT, "hello") for one in words.get("edited", [])]
    if "location" in words:
        bodies.append((words["location"][0].replace("%", "https://maps.google.com/?q=1.5,2.5"), Kind.LOCATION, ""))
    records = read(whatsapp(*lines, *(f"13/2/24, 10:01 - Bob: {body}" for body, _, _ in bodies)))
    kept = [(m.kind, m.text) for m in records if isinstance(m, Message) and m.sender_name == "Bob"]
    assert kept == [(kind, text) for _, kind, text in bodies]
    if lines:
        assert [r.kind for r in records if isinstance(r, Chat)][-1] is ChatKind.GROUP


@pytest.mark.parametrize("language", ANDROID)
def test_the_deleter_is_the_owner_in_every_language(language: str, whatsapp: Write, read: Read) -> None:
    mine = PHRASES[language]["deleted_by_you"][0]
    path = whatsapp(f"13/2/24, 10:00 - Eve: {mine}", "13/2/24, 10:01 - Bob: x", name="_chat.txt")
    assert [r.name for r in read(path) if isinstance(r, Owner)] == ["Eve"]


@pytest.mark.parametrize("language", IOS)
def test_ios_in_every_language(language: str, whatsapp: Write, read: Read) -> None:
    words = PHRASES[language]
    kinds = {"photo": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO, "sticker": Kind.STICKER, "file": Kind.FILE,
             "contact": Kind.CONTACT, "gif": Kind.GIF, "deleted": Kind.DELETED}  # fmt: skip
    lines = [f"\u200e[13/2/24, 10:00:01] Bob: \u200e{words[key][0]}" for key in kinds]
    records = read(whatsapp("[13/2/24, 10:00:00] Bob: one", *lines, f"\u200e[13/2/24, 10:00:02] Bob: two \u200e{words['photo'][0]}",
                            f"\u200e[13/2/24, 10:00:03] Bob: \u200e{words['calls'][0]}", *(f"\u200e[13/2/24, 10:00:04] Bob: \u200e{one}" for one in words.get("not_readable", ()))))  # fmt: skip
    kept = [(m.kind, m.text) for m in records if isinstance(m, Message)]
    assert kept[:-1] == [(Kind.TEXT, "one"), *((kind, "") for kind in kinds.values()), (Kind.PHOTO, "two")]
    assert kept[-1][0] is Kind.CALL
    assert len([r for r in records if isinstance(r, Drop)]) == len(words.get("not_readable", ()))


def test_there_are_as_many_languages_as_promised() -> None:
    assert len(LOCALES) > 60
    assert len(ANDROID) > 50
    assert len(IOS) >= 40


def test_the_apps_sentences_with_a_colon_are_nobodys(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "2024. 02. 13. 10:00 - Ann létrehozott egy csoportot: “Út”",
        "2024. 02. 13. 10:01 - Béla: szia",
        "2024. 02. 13. 10:02 - Ann: left",
    )
    assert [m.sender_name for m in messages(path)] == [None, "Béla", "Ann"]


def test_an_unknown_edit_mark_is_learnt_from_being_there_again_and_again(whatsapp: Write, messages: Messages) -> None:
    lines = [f"13/2/24, 10:0{n} - Bob: word{n} <ჩანაწერი შეცვლილია>" for n in range(4)]
    kept = messages(whatsapp(*lines, "13/2/24, 10:09 - Ann: look <at this>"))
    assert [m.text for m in kept][2:] == ["word2", "word3", "look <at this>"]


def test_names_in_isolates_are_mentions(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "13/2/24, 10:00 - Bob: @\u2068Ann Lee\u2069 and @491701234567, look", "13/2/24, 10:01 - Ann Lee: ok"
    )
    first = messages(path)[0]
    assert first.text == "@Ann Lee and @491701234567, look"
    assert first.mentions == '["ann lee","+491701234567"]'


def test_text_before_the_first_message_is_in_the_ledger(whatsapp: Write, read: Read) -> None:
    records = read(whatsapp("the end of a message", "that was cut", "13/2/24, 10:00 - Bob: x"))
    assert [(r.reason, r.place) for r in records if isinstance(r, Drop)] == [
        ("text before the first message", "line 2")
    ]
