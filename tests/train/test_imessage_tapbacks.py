"""Reactions in iMessage: rows that point to their message, and texts that quote it."""

import plistlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.train.test_imessage_db import EPOCH, T0, Phone, dropped, kept
from tests.train.typedstreams import body
from train.messages import Folded, Kind, Record
from train.sources.imessage_sentences import sentence_of

Read = Callable[..., list[Record]]
ANN = "+491701234567"


@pytest.fixture
def phone(tmp_path: Path) -> Phone:
    return Phone(tmp_path / "chat.db")


def folded(records: list[Record]) -> list[str]:
    return [one.what for one in records if isinstance(one, Folded)]


def test_a_tapback_is_a_reaction_not_a_message(phone: Phone, read: Read) -> None:
    phone.add(1, "look").add(2, None, associated_message_guid="p:0/G1", associated_message_type=2000, is_from_me=1)
    phone.add(3, None, associated_message_guid="bp:G1", associated_message_type=2006, associated_message_emoji="🦀")
    phone.add(4, "\ufffc", associated_message_guid="p:1/G1", associated_message_type=1000, handle_id=2)
    phone.add(5, "\ufffc", associated_message_guid="G1", associated_message_type=2007, handle_id=2)
    records = read(phone.done())
    (message,) = kept(records)
    assert message.reactions == f'[["❤️",1,"me"],["🦀",1,"{ANN}"],["[sticker]",2,"zoe@example.org","zoe@example.org"]]'
    assert folded(records) == ["reaction"] * 4


@pytest.mark.parametrize(
    ("kinds", "left"),
    [
        ((2001, 2003), '[["😂",1,"+491701234567"]]'), ((2001, 2003, 3003), None), ((2001, 3006), None),
        ((2001, 3003), '[["👍",1,"+491701234567"]]'), ((2007, 2001, 3007), '[["👍",1,"+491701234567"]]'),
        ((2007, 2001, 3001), '[["[sticker]",1,"+491701234567"]]'), ((3000,), None),
    ],
)  # fmt: skip
def test_a_tapback_taken_back_or_changed_is_gone(
    phone: Phone, read: Read, kinds: tuple[int, ...], left: str | None
) -> None:
    for number, kind in enumerate(kinds, 2):
        phone.add(number, None, associated_message_guid="p:0/G1", associated_message_type=kind)
    records = read(phone.add(1, "look").done())
    (message,) = kept(records)
    assert message.reactions == left
    assert folded(records) == ["reaction"] * len(kinds)


def test_tapbacks_to_nothing_are_dropped(phone: Phone, read: Read) -> None:
    phone.add(1, None, associated_message_guid="p:0/GONE", associated_message_type=2000)
    phone.add(2, "Loved “x”", associated_message_guid=None, associated_message_type=2000)
    assert dropped(read(phone.done())) == ["reaction to a message that is not here"] * 2


WORDED = [
    ("Loved “see you at 8”", "❤️"), ("Liked “see you at 8”", "👍"), ("Disliked “see you at 8”", "👎"),
    ("Laughed at “see you at 8”", "😂"), ("Emphasized “see you at 8”", "‼️"), ("Emphasised “see you at 8”", "‼️"),
    ("Questioned “see you at 8”", "❓"), ("Reacted 🦀 to “see you at 8”", "🦀"), ("Reacted 1️⃣ to “see you at 8”", "1️⃣"),
    ("Reacted with a sticker to “see you at 8”", "[sticker]"), ('Liked "see you at 8"', "👍"),
    ("„see you at 8“ ein Herz hinzugefügt", "❤️"), ("Gefällt: „see you at 8“", "👍"),
    ("Hat mit 👨‍👩‍👧 auf „see you at 8“ reagiert", "👨‍👩‍👧"), ("A aimé «\u00a0see you at 8\u00a0»", "👍"),
    ("A attribué la mention «\u00a0J'aime\u00a0» à «\u00a0see you at 8\u00a0»", "👍"), ("N'aime pas “see you at 8”", "👎"),
    ("A réagi avec 🎉 à “see you at 8”", "🎉"), ("Le encantó “see you at 8”", "❤️"), ("Le Gusta “see you at 8”", "👍"),
    ("Curtiu “see you at 8”", "👍"), ("Satte et hjerte ved «see you at 8»", "❤️"), ("Pokochał “see you at 8”", "❤️"),
    ("Очень понравилось «see you at 8»", "❤️"), ("Реакция 🔥 към “see you at 8”", "🔥"),
    ("szívecske erre: „see you at 8”", "❤️"), ("對「see you at 8」按讚", "👍"), ("對「see you at 8」做出 🔥 反應", "🔥"),
    ("\u200a\u200b👍\u200b to “\u200asee you at 8\u200a” \u200a", "👍"),
    ("\u200aAnn\u200b❤️\u200b tykkäsi: \u200asee you at 8\u200a.\u200a", "❤️"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "emoji"), WORDED, ids=[text for text, _ in WORDED])
def test_a_tapback_in_words_is_a_reaction_to_what_it_quotes(phone: Phone, read: Read, text: str, emoji: str) -> None:
    phone.add(1, "see you at 8", is_from_me=1).add(2, "something else").add(3, text)
    records = read(phone.done())
    assert [(m.text, m.reactions) for m in kept(records)] == [
        ("see you at 8", f'[["{emoji}",1,"{ANN}"]]'), ("something else", None),
    ]  # fmt: skip
    assert folded(records) == ["reaction"]


@pytest.mark.parametrize(
    ("given", "taken_back"),
    [
        ("Loved “ok”", "Removed a heart from “ok”"), ("Reacted 🦀 to “ok”", "Removed 🦀 from “ok”"),
        ("Gefällt: „ok“", "„Gefällt mir“ von „ok“ entfernt"), ("A aimé « ok »", "A retiré la mention « J’aime » de « ok »"),
        ("對「ok」按讚", "已移除對「ok」的讚"),
        ("\u200a\u200b👍\u200b to “\u200aok\u200a” \u200a", "\u200aRemoved \u200c👍\u200c from “\u200aok\u200a” \u200a"),
    ],
)  # fmt: skip
def test_a_tapback_in_words_can_be_taken_back(phone: Phone, read: Read, given: str, taken_back: str) -> None:
    records = read(phone.add(1, "ok", is_from_me=1).add(2, given).add(3, taken_back).done())
    (message,) = kept(records)
    assert message.reactions is None
    assert folded(records) == ["reaction"] * 2


@pytest.mark.parametrize(
    "text",
    ["Loved the cake, thanks", 'Liked "the film"', "Loved “Dune”", "Liked an image", "Loved a movie", "„ok“", "“”",
     "Who said “see you at 8”", "and then Loved “see you at 8”", "Loved “see you at 8” too", 'So: "see you at 8"'],
)  # fmt: skip
def test_what_is_typed_by_hand_is_a_text(phone: Phone, read: Read, text: str) -> None:
    records = read(phone.add(1, "see you at 8", is_from_me=1).add(2, text).done())
    assert [m.text for m in kept(records)] == ["see you at 8", text]
    assert kept(records)[0].reactions is None


def test_the_quoted_message_is_in_the_same_chat_and_before(phone: Phone, read: Read) -> None:
    phone.add(1, "in the group", chat=2).add(2, "Liked “in the group”").add(3, "Liked “afterwards”")
    phone.add(4, "afterwards", is_from_me=1)
    records = read(phone.done())
    assert len(kept(records)) == 4
    assert folded(records) == []


def test_before_is_by_time_not_by_row(phone: Phone, read: Read) -> None:
    # Messages that come from the cloud are written newest first.
    phone.add(1, "Liked “first”", date=T0 + 100).add(2, "first", is_from_me=1, date=T0 + 50)
    (message,) = kept(read(phone.done()))
    assert message.reactions == f'[["👍",1,"{ANN}"]]'


def test_of_several_messages_of_one_text_the_newest_before_it_is_meant(phone: Phone, read: Read) -> None:
    phone.add(1, "ok", is_from_me=1).add(2, "ok", is_from_me=1).add(3, "Liked “ok”").add(4, "ok", is_from_me=1)
    assert [m.reactions for m in kept(read(phone.done()))] == [None, f'[["👍",1,"{ANN}"]]', None]


def test_a_quote_that_is_cut_short_or_has_quotes_in_it_is_found(phone: Phone, read: Read) -> None:
    long = "a long message about the boat and whose turn it is"
    phone.add(1, long, is_from_me=1).add(2, f"Liked “{long[:20]}…”")
    phone.add(3, "he said “no”\nand left", is_from_me=1).add(4, "Loved “he said “no”\nand left”")
    assert [m.reactions for m in kept(read(phone.done()))] == [f'[["👍",1,"{ANN}"]]', f'[["❤️",1,"{ANN}"]]']


def test_a_tapback_on_a_medium_is_on_the_newest_of_its_kind_by_another(phone: Phone, read: Read) -> None:
    phone.add(1, "\ufffc", is_from_me=1).attach(1, "image/png").add(2, "\ufffc", is_from_me=1).attach(2, "video/mp4")
    phone.add(3, "\ufffc").attach(3, "image/png").add(4, "Liked an image").add(5, "A adoré une vidéo")
    assert [(m.kind, m.reactions) for m in kept(read(phone.done()))] == [
        (Kind.PHOTO, f'[["👍",1,"{ANN}"]]'), (Kind.VIDEO, f'[["❤️",1,"{ANN}"]]'), (Kind.PHOTO, None),
    ]  # fmt: skip


def test_googles_reaction_to_a_message_that_is_not_here_is_no_text(phone: Phone, read: Read) -> None:
    records = read(phone.add(1, "\u200a\u200b👍\u200b to “\u200agone\u200a” \u200a").done())
    assert kept(records) == []
    assert dropped(records) == ["reaction to a message that is not here"]


def test_a_tapback_in_words_by_sms_finds_what_was_said_by_imessage(phone: Phone, read: Read) -> None:
    phone.add(1, "blue", is_from_me=1).add(2, "Liked “blue”", chat=3, handle_id=3)
    (message,) = kept(read(phone.done()))
    assert message.reactions == f'[["👍",1,"{ANN}"]]'


def test_tapbacks_in_words_are_found_in_a_long_chat(phone: Phone, read: Read) -> None:
    for number in range(1, 10_001):
        quoted = f"Liked “text {number - 1 - number % 900}”"
        phone.add(number, quoted if number % 1000 == 999 else f"text {number}", is_from_me=number % 2)
    records = read(phone.done())
    assert len(folded(records)) == 10
    assert len(kept(records)) == 9_990
    assert sum(m.reactions is not None for m in kept(records)) == 10


def test_what_is_worded_is_found_without_its_message_too() -> None:
    sentence = sentence_of("Liked “a”")
    assert sentence is not None
    assert (sentence.emoji, sentence.quoted, sentence.taken_back, sentence.certain) == ("👍", "a", False, False)
    assert sentence_of("") is None
    assert sentence_of("”") is None
    assert sentence_of("\u200a") is None


def summary(**keys: Any) -> bytes:
    return plistlib.dumps(keys, fmt=plistlib.FMT_BINARY)


def versions(*texts: str) -> list[dict[str, Any]]:
    return [{"t": body(text), "d": 690513474.0} for text in texts]


EDITED = T0 + 60


def test_an_edited_message_has_its_newest_text(phone: Phone, read: Read) -> None:
    edits = summary(otr={"0": {"lo": 0, "le": 5}}, ec={"0": versions("first", "second")})
    phone.add(1, None, attributedBody=body("second"), message_summary_info=edits, date_edited=EDITED)
    phone.add(2, None, message_summary_info=edits, date_edited=EDITED)
    several = summary(ec={str(part): versions(f"old {part}", f"{part} ") for part in (0, 1, 2, 10)})
    phone.add(3, None, message_summary_info=several, date_edited=EDITED)
    found = kept(read(phone.done()))
    assert [m.text for m in found] == ["second", "second", "0 1 2 10 "]
    assert {m.edited_ms for m in found} == {(EDITED + EPOCH) * 1000}


def test_an_unsent_message_is_deleted(phone: Phone, read: Read) -> None:
    phone.add(1, None, message_summary_info=summary(otr={"0": {}}, rp=[0]), date_edited=EDITED)
    phone.add(2, None, date_retracted=EDITED)
    phone.add(3, None, message_summary_info=summary(otr={"0": {}, "1": {}}, rp=[0, 1]), date_edited=EDITED)
    phone.add(4, None, message_summary_info=summary(rp=[0]))
    found = kept(read(phone.done()))
    assert [(m.kind, m.text) for m in found] == [(Kind.DELETED, "")] * 4


def test_of_a_message_unsent_in_part_the_rest_is_kept(phone: Phone, read: Read) -> None:
    part = {"otr": {"0": {}, "1": {}}, "rp": [0]}
    phone.add(1, None, attributedBody=body("the rest"), message_summary_info=summary(**part), date_edited=EDITED)
    edits = part | {"ec": {"0": versions("unsent"), "1": versions("old", "the rest, edited")}}
    phone.add(2, None, message_summary_info=summary(**edits), date_edited=EDITED)
    phone.add(3, None, message_summary_info=summary(**part), date_edited=EDITED).attach(3, "image/png")
    phone.add(4, "the rest", message_summary_info=summary(**part), date_retracted=EDITED)
    assert [(m.kind, m.text) for m in kept(read(phone.done()))] == [
        (Kind.TEXT, "the rest"), (Kind.TEXT, "the rest, edited"), (Kind.PHOTO, ""), (Kind.TEXT, "the rest"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "raw",
    [b"", b"bplist00", b"\xff" * 40, b"<plist>", summary(ec=[1], rp={"a": 1}, otr="x"), summary(ec={"0": [7, 1]}),
     summary(ec={"0": [{"t": "text"}], "x": [{"t": b"no body"}]}), plistlib.dumps([1])],
)  # fmt: skip
def test_a_damaged_history_of_edits_costs_no_more_than_the_edits(phone: Phone, read: Read, raw: bytes) -> None:
    phone.add(1, "as it is", message_summary_info=raw, date_edited=EDITED)
    records = read(phone.add(2, None, message_summary_info=raw, date_edited=EDITED).done())
    assert [m.text for m in kept(records)] == ["as it is"]
    assert dropped(records) == ["nothing in it"]
