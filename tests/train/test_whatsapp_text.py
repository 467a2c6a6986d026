"""What WhatsApp writes into its text exports, on both systems and in many languages."""

import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from persona.errors import UserError
from train.importing import find_exports
from train.messages import Chat, ChatKind, Drop, Kind, Message, Note, Owner, Record, Tear
from train.sources import source_of

Write = Callable[..., Path]
Messages = Callable[..., list[Message]]
Read = Callable[..., list[Record]]


def utc(message: Message) -> str:
    return datetime.fromtimestamp(message.time_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def the_chat(records: list[Record]) -> Chat:
    return [record for record in records if isinstance(record, Chat)][-1]


def test_the_android_layout(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp("31/12/2023, 23:59 - Alice: happy", "new year", "", "01/01/2024, 00:00 - Bob: you too")
    kept = messages(path, timezone="UTC")
    assert [(utc(m), m.sender_name, m.text) for m in kept] == [
        ("2023-12-31 23:59:00", "Alice", "happy\nnew year\n"),
        ("2024-01-01 00:00:00", "Bob", "you too"),
    ]


def test_the_ios_layout(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "[31/12/2023, 23:59:58] Bob: hi",
        "\u200e[31/12/2023, 23:59:59] Alice: \u200eimage omitted",
        name="_chat.txt",
    )
    kept = messages(path, timezone="UTC")
    assert [(utc(m), m.sender_name, m.kind, m.text) for m in kept] == [
        ("2023-12-31 23:59:58", "Bob", Kind.TEXT, "hi"),
        ("2023-12-31 23:59:59", "Alice", Kind.PHOTO, ""),
    ]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("13.02.24, 09:05 - ", "2024-02-13 09:05:00"),
        ("2/13/24, 9:05 AM - ", "2024-02-13 09:05:00"),
        ("2/13/24, 9:05\u202fPM - ", "2024-02-13 21:05:00"),
        ("2/13/24, 12:05\u00a0am - ", "2024-02-13 00:05:00"),
        ("13/2/24, 12:05 p. m. - ", "2024-02-13 12:05:00"),
        ("13/2/24, 9:05 p.\u00a0m. - ", "2024-02-13 21:05:00"),
        ("13/2/24 9:05 a.m. - ", "2024-02-13 09:05:00"),
        ("2024/2/13 上午9:05 - ", "2024-02-13 09:05:00"),
        ("2024/2/13 下午9:05 - ", "2024-02-13 21:05:00"),
        ("2024. 2. 13. 오후 9:05 - ", "2024-02-13 21:05:00"),
        ("2024. 2. 13. 오전 12:05 - ", "2024-02-13 00:05:00"),
        ("2024-02-13, 21:05 - ", "2024-02-13 21:05:00"),
        ("[13.02.24, 21:05:06] ", "2024-02-13 21:05:06"),
        ("[2/13/24, 9:05:06\u202fPM] ", "2024-02-13 21:05:06"),
        ("[2024/2/13 下午9:05:06] ", "2024-02-13 21:05:06"),
        ("[2024. 2. 13. 오후 9:05:06] ", "2024-02-13 21:05:06"),
        ("[13/2/24 9:05:06 p. m.] ", "2024-02-13 21:05:06"),
        ("\u200f[13\u200f/2\u200f/2024, 9:05:06 م] ", "2024-02-13 21:05:06"),
        ("[١٣/٢/٢٠٢٤, ٩:٠٥:٠٦ م] ", "2024-02-13 21:05:06"),
        ("13.2.2024 klo 9.05 - ", "2024-02-13 09:05:00"),
        ("13.2.2024 ist 9 - ", None),
        ("13.02.24, 9:05 odp. - ", "2024-02-13 21:05:00"),
    ],
)
def test_printed_times(whatsapp: Write, messages: Messages, printed: str, expected: str | None) -> None:
    path = whatsapp(f"{printed}Alice: one", f"{printed}Bob: two")
    if expected is None:
        assert source_of(path) is None
        return
    assert [utc(m) for m in messages(path, timezone="UTC")] == [expected, expected]


def dates(messages: Messages, path: Path) -> list[str]:
    return [utc(m)[:10] for m in messages(path, timezone="UTC")]


def test_a_day_above_twelve_tells_the_order(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp("01/02/2024, 10:00 - A: x", "01/13/2024, 10:00 - A: y")
    assert dates(messages, path) == ["2024-01-02", "2024-01-13"]


def test_time_that_never_falls_tells_the_order(whatsapp: Write, messages: Messages, read: Read) -> None:
    path = whatsapp("12/01/2024, 10:00 - A: x", "01/02/2024, 10:00 - A: y", "02/03/2024, 10:00 - A: z")
    assert dates(messages, path) == ["2024-01-12", "2024-02-01", "2024-03-02"]
    assert not any(isinstance(record, Note) for record in read(path))


def test_days_in_a_row_are_not_months_in_a_row_and_that_is_noted(
    whatsapp: Write, messages: Messages, read: Read
) -> None:
    path = whatsapp(*(f"{day}/4/24, 10:00 - A: x" for day in (1, 2, 3, 4)))
    assert dates(messages, path) == ["2024-04-01", "2024-04-02", "2024-04-03", "2024-04-04"]
    (note,) = [record.text for record in read(path) if isinstance(record, Note)]
    assert "day, month, year" in note


def test_a_chat_of_one_ambiguous_day_follows_its_layout(whatsapp: Write, messages: Messages) -> None:
    assert dates(messages, whatsapp("3/4/24, 10:00 - A: x", "3/4/24, 10:01 - A: x")) == ["2024-04-03"] * 2
    assert dates(messages, whatsapp("3/4/24, 1:00 PM - A: x", "3/4/24, 1:01 PM - A: x")) == ["2024-03-04"] * 2


def test_years_of_two_digits_can_come_first(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp("24/01/30, 10:00 - A: x", "24/02/01, 10:00 - A: y")
    assert dates(messages, path) == ["2024-01-30", "2024-02-01"]


def test_names_lose_direction_marks_and_the_tilde(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "1/2/24, 10:00 - \u202a+49 170 1234567\u202c: hi",
        "1/2/24, 10:00 - ~\u202fZoë: ho",
        "13/2/24, 10:01 - \u200eBob: he",
    )
    kept = messages(path)
    assert [m.sender_name for m in kept] == ["+49 170 1234567", "Zoë", "Bob"]
    assert kept[0].sender_id == "+491701234567"


def test_joiners_and_accents_stay(whatsapp: Write, messages: Messages) -> None:
    text = "👩\u200d👩\u200d👧 cafe\u0301 é"
    kept = messages(whatsapp(f"13/2/24, 10:00 - A: {text}", "13/2/24, 10:00 - A: x"))
    assert kept[0].text == text


def test_a_line_separator_does_not_end_a_message(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp("13/2/24, 10:00 - A: a\u2028b\u0085c\x0bd", "13/2/24, 10:00 - A: x")
    assert messages(path)[0].text == "a\u2028b\u0085c\x0bd"


def test_a_chat_pasted_in_another_layout_stays_inside_its_message(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "13/2/24, 10:00 - Alice: look what they wrote",
        "[1/3/20, 9:00 PM] Eve: not me",
        "[1/3/20, 9:01 PM] Eve: nor me",
        "13/2/24, 10:01 - Bob: oh",
    )
    assert [m.sender_name for m in messages(path)] == ["Alice", "Bob"]


def test_system_lines_have_no_author_even_with_a_colon(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "13/2/24, 10:00 - Messages and calls are end-to-end encrypted.",
        "13/2/24, 10:00 - Alice: hi",
        "13/2/24, 10:00 - Alice: again",
        "13/2/24, 10:01 - Alice changed the subject from “Trip: plans” to “Trip: done”",
        "13/2/24, 10:02 - Alice changed the group description: new one",
        "13/2/24, 10:02 - Bob: note: this is mine",
    )
    assert [(m.kind, m.sender_name) for m in messages(path)] == [
        (Kind.SERVICE, None),
        (Kind.TEXT, "Alice"),
        (Kind.TEXT, "Alice"),
        (Kind.SERVICE, None),
        (Kind.SERVICE, None),
        (Kind.TEXT, "Bob"),
    ]


def test_a_name_with_a_colon_is_one_name(whatsapp: Write, messages: Messages) -> None:
    lines = [f"13/2/24, 10:0{n} - Work: Bob: no {n}" for n in range(6)]
    path = whatsapp(*lines, "13/2/24, 10:09 - Alice: ok: fine")
    kept = messages(path)
    assert {m.sender_name for m in kept[:6]} == {"Work: Bob"}
    assert (kept[0].text, kept[6].sender_name, kept[6].text) == ("no 0", "Alice", "ok: fine")


def test_expired_messages_are_dropped_with_their_line(whatsapp: Write, read: Read) -> None:
    path = whatsapp(
        "13/2/24, 10:00 - Bob: x",
        "13/2/24, 10:00 - Bob:.",
        "13/2/24, 10:00 - Bob: .",
        "13/2/24, 10:00 - Bob:",
    )
    records = read(path)
    assert [(r.reason, r.place) for r in records if isinstance(r, Drop)] == [
        ("expired or view-once message", "line 2"),
        ("expired or view-once message", "line 4"),
    ]
    assert [r.text for r in records if isinstance(r, Message)] == ["x", "."]


@pytest.mark.parametrize(
    "mark",
    [
        "<Media omitted>",
        "<Medien ausgeschlossen>",
        "<Médias omis>",
        "<Multimedia omitido>",
        "<Media omessi>",
        "<Mídia oculta>",
        "<Arquivo de mídia oculto>",
        "<Ficheiro não revelado>",
        "<Без медиафайлов>",
        "<Media weggelaten>",
        "<pominięto multimedia>",
        "<Medya dahil edilmedi>",
        "<Без медіафайлів>",
        "<Média vynechána>",
    ],
)
def test_omitted_media_on_android(whatsapp: Write, messages: Messages, mark: str) -> None:
    path = whatsapp(f"13/2/24, 10:00 - Bob: {mark}", "13/2/24, 10:00 - Bob: see <media omitted> there")
    assert [m.kind for m in messages(path)] == [Kind.MEDIA, Kind.TEXT]


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("image omitted", Kind.PHOTO),
        ("video omitted", Kind.VIDEO),
        ("audio omitted", Kind.AUDIO),
        ("sticker omitted", Kind.STICKER),
        ("GIF omitted", Kind.GIF),
        ("Contact card omitted", Kind.CONTACT),
        ("Bild weggelassen", Kind.PHOTO),
        ("Kontaktkarte ausgelassen", Kind.CONTACT),
        ("image absente", Kind.PHOTO),
        ("vidéo absente", Kind.VIDEO),
        ("sticker omis", Kind.STICKER),
        ("imagen omitida", Kind.PHOTO),
        ("Tarjeta de contacto omitida", Kind.CONTACT),
        ("immagine omessa", Kind.PHOTO),
        ("sticker non incluso", Kind.STICKER),
        ("imagem ocultada", Kind.PHOTO),
        ("áudio ocultado", Kind.AUDIO),
        ("figurinha omitida", Kind.STICKER),
        ("изображение отсутствует", Kind.PHOTO),
        ("аудиофайл отсутствует", Kind.AUDIO),
        ("afbeelding weggelaten", Kind.PHOTO),
        ("pominięto grafikę", Kind.PHOTO),
        ("pominięto wideo", Kind.VIDEO),
        ("görüntü dahil edilmedi", Kind.PHOTO),
        ("Çıkartma dahil edilmedi", Kind.STICKER),
        ("зображення пропущено", Kind.PHOTO),
        ("відео відсутнє", Kind.VIDEO),
        ("obrázek vynechán", Kind.PHOTO),
        ("samolepka vynechána", Kind.STICKER),
    ],
)
def test_omitted_media_on_ios(whatsapp: Write, messages: Messages, mark: str, kind: Kind) -> None:
    path = whatsapp(f"\u200e[13/2/24, 10:00:00] Bob: \u200e{mark}", f"[13/2/24, 10:00:01] Bob: what a day \u200e{mark}")
    first, second = messages(path)
    assert (first.kind, first.text) == (kind, "")
    assert second.kind == kind
    assert second.text == ("what a day" if kind is not Kind.CONTACT else "")


@pytest.mark.parametrize(
    ("line", "kind", "caption"),
    [
        ("13/2/24, 10:00 - Bob: IMG-20240213-WA0001.jpg (file attached)", Kind.PHOTO, ""),
        ("13/2/24, 10:00 - Bob: \u200eVID-20240213-WA0001.mp4 (Datei angehängt)", Kind.VIDEO, ""),
        ("13/2/24, 10:00 - Bob: PTT-20240213-WA0001.opus (archivo adjunto)", Kind.VOICE, ""),
        ("13/2/24, 10:00 - Bob: STK-20240213-WA0001.webp (файл добавлен)", Kind.STICKER, ""),
        ("13/2/24, 10:00 - Bob: the plan.pdf (file attached)\nread it", Kind.FILE, "read it"),
        ("13/2/24, 10:00 - Bob: x.pdf (not that bad)", Kind.TEXT, "x.pdf (not that bad)"),
        ("[13/2/24, 10:00:00] Bob: \u200e<attached: 00000042-PHOTO-2024-02-13-10-00-00.jpg>", Kind.PHOTO, ""),
        (
            "[13/2/24, 10:00:00] Bob: at sea \u200e<Anhang: 00000042-VIDEO-2024-02-13-10-00-00.mp4>",
            Kind.VIDEO,
            "at sea",
        ),
        ("[13/2/24, 10:00:00] Bob: \u200e<adjunto: 00000043-AUDIO-2024-02-13-10-00-00.opus>", Kind.VOICE, ""),
        ("[13/2/24, 10:00:00] Bob: \u200ePOLL:\nWhen?\n\u200eOPTION: now (1 vote)", Kind.POLL, "When?"),
        ("[13/2/24, 10:00:00] Bob: \u200eLocation: https://maps.google.com/?q=1.0,2.0", Kind.LOCATION, ""),
        ("[13/2/24, 10:00:00] Bob: \u200eMissed voice call", Kind.CALL, "Missed voice call"),
    ],
)
def test_attached_files(whatsapp: Write, messages: Messages, line: str, kind: Kind, caption: str) -> None:
    (message, _) = messages(whatsapp(line, line.split("Bob")[0] + "Bob: end"))
    assert (message.kind, message.text) == (kind, caption)


@pytest.mark.parametrize(
    "mark",
    [
        "This message was deleted",
        "Diese Nachricht wurde gelöscht.",
        "Ce message a été supprimé",
        "Se eliminó este mensaje",
        "Questo messaggio è stato eliminato",
        "Mensagem apagada",
        "Данное сообщение удалено",
        "Dit bericht is verwijderd",
        "Ta wiadomość została usunięta",
        "Bu mesaj silindi",
        "Це повідомлення видалено",
        "Tato zpráva byla smazána",
    ],
)
def test_deleted_messages(whatsapp: Write, messages: Messages, mark: str) -> None:
    for line in (f"13/2/24, 10:00 - Bob: {mark}", f"[13/2/24, 10:00:00] Bob: \u200e{mark}"):
        first, _ = messages(whatsapp(line, line.split("Bob")[0] + "Bob: end"))
        assert (first.kind, first.text) == (Kind.DELETED, "")


@pytest.mark.parametrize(
    "mark",
    [
        "This message was edited",
        "Diese Nachricht wurde bearbeitet.",
        "Se editó este mensaje.",
        "Сообщение изменено",
    ],
)
def test_the_edit_mark_is_not_text(whatsapp: Write, messages: Messages, mark: str) -> None:
    for line in (f"13/2/24, 10:00 - Bob: so <{mark}>", f"[13/2/24, 10:00:00] Bob: so \u200e<{mark}>"):
        first, last = messages(whatsapp(line, line.split("Bob")[0] + "Bob: <3"))
        assert (first.text, first.edited_ms is not None) == ("so", True)
        assert (last.text, last.edited_ms) == ("<3", None)


def test_messages_of_one_minute_keep_their_order(whatsapp: Write, messages: Messages) -> None:
    kept = messages(whatsapp(*(f"13/2/24, 10:00 - {who}: same" for who in "ABAAB")))
    assert len({m.id for m in kept}) == 5
    assert [m.seq for m in kept] == [1, 2, 3, 4, 5]


def test_local_time_goes_on_over_the_repeated_hour_of_autumn(whatsapp: Write, messages: Messages) -> None:
    path = whatsapp(
        "27.10.2024, 02:10 - A: x",
        "27.10.2024, 02:50 - A: x",
        "27.10.2024, 02:05 - A: x",
        "27.10.2024, 03:01 - A: x",
    )
    kept = messages(path, timezone="Europe/Berlin")
    assert [utc(m)[11:16] for m in kept] == ["00:10", "00:50", "01:05", "02:01"]
    assert [m.offset_min for m in kept] == [120, 120, 60, 60]


def test_two_people_are_a_personal_chat_and_three_a_group(whatsapp: Write, read: Read) -> None:
    two = ["13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: x"]
    assert the_chat(read(whatsapp(*two))) == Chat("whatsapp", "bob", "Bob", ChatKind.PERSONAL)
    chat = the_chat(read(whatsapp(*two, "13/2/24, 10:00 - Carol: x", name="WhatsApp Chat with Club.txt")))
    assert chat == Chat("whatsapp", "club", "Club", ChatKind.GROUP)


def test_a_group_of_two_is_told_by_what_the_app_says(whatsapp: Write, read: Read) -> None:
    path = whatsapp(
        "[13/2/24, 10:00:00] Trip: \u200eMessages and calls are end-to-end encrypted.",
        "[13/2/24, 10:00:00] Trip: \u200eAlice created this group",
        "[13/2/24, 10:00:01] Alice: x",
        "[13/2/24, 10:00:02] Bob: x",
        name="_chat.txt",
    )
    assert the_chat(read(path)) == Chat("whatsapp", "trip", "Trip", ChatKind.GROUP)


@pytest.mark.parametrize(
    "name",
    [
        "WhatsApp Chat with Bob.txt",
        "WhatsApp Chat - Bob/_chat.txt",
        "WhatsApp-Chat mit Bob.txt",
        "Discussion WhatsApp avec Bob.txt",
        "Chat de WhatsApp con Bob.txt",
        "Chat WhatsApp con Bob.txt",
        "Conversa do WhatsApp com Bob.txt",
        "Чат WhatsApp с Bob.txt",
        "WhatsApp-chat met Bob.txt",
        "Czat WhatsApp z Bob.txt",
        "Bob ile WhatsApp Sohbeti.txt",
        "WhatsApp Chat with Bob (2).txt",
    ],
)
def test_the_file_is_named_after_the_chat(whatsapp: Write, read: Read, name: str) -> None:
    records = read(whatsapp("13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: x", name=name))
    assert the_chat(records).id == "bob"
    assert Owner("whatsapp", "alice", "Alice") in records


def owners(records: list[Record]) -> list[str | None]:
    return [record.name for record in records if isinstance(record, Owner)]


def test_the_owner_is_found(whatsapp: Write, read: Read) -> None:
    lines = ["13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: x"]
    bare = whatsapp(*lines, name="_chat.txt")
    assert owners(read(bare)) == []
    assert owners(read(bare, owner="alice")) == ["Alice"]
    assert owners(read(bare, owner="Nobody")) == []
    assert owners(read(bare, known_owners=("BOB",))) == ["Bob"]
    assert owners(read(whatsapp(*lines, "13/2/24, 10:00 - Alice: You deleted this message", name="_chat.txt"))) == [
        "Alice"
    ]
    # Whom the app calls "you" is the one it never names.
    named = "13/2/24, 10:00 - You created group “Trip” with Bob and Carol"
    group = whatsapp(named, *lines, "13/2/24, 10:00 - Carol: x", name="_chat.txt")
    assert owners(read(group)) == ["Alice"]


def test_an_archive_is_read_in_place(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "WhatsApp Chat - Bob.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../00000001-PHOTO.jpg", b"x")
        archive.writestr("_chat.txt", "\ufeff[13/2/24, 10:00:00] Alice: x\r\n[13/2/24, 10:00:01] Bob: y\r\n")
    records = read(path)
    assert [m.text for m in records if isinstance(m, Message)] == ["x", "y"]
    assert the_chat(records).name == "Bob"
    assert [found.name for found in tmp_path.rglob("*")] == [path.name]


def test_a_broken_archive_says_so(tmp_path: Path) -> None:
    path = tmp_path / "WhatsApp Chat - Bob.zip"
    path.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(UserError, match="is a broken archive"):
        find_exports(path)


def test_a_damaged_archive_keeps_what_was_read(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "WhatsApp Chat - Bob.zip"
    lines = "".join(f"[13/2/24, 10:00:00] {'Bob' if n % 2 else 'Alice'}: number {n}\n" for n in range(30_000))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("_chat.txt", lines)
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"number 29999")] = ord("N")
    path.write_bytes(raw)
    records = read(path)
    assert sum(isinstance(record, Message) for record in records) > 25_000
    assert isinstance(records[-1], Tear)


def test_a_text_that_ends_inside_a_letter_is_torn(whatsapp: Write, read: Read) -> None:
    path = whatsapp("13/2/24, 10:00 - Alice: x", "13/2/24, 10:00 - Bob: ü")
    path.write_bytes(path.read_bytes()[:-2])
    records = read(path)
    assert sum(isinstance(record, Message) for record in records) == 2
    assert records[-1] == Tear(f"byte {path.stat().st_size - 1}", "the file ends inside a letter")


def test_utf16_and_byte_order_marks(whatsapp: Write, messages: Messages) -> None:
    for encoding in ("utf-16", "utf-8-sig"):
        path = whatsapp("13/2/24, 10:00 - Alice: ü", "13/2/24, 10:00 - Bob: ж", encoding=encoding)
        assert [m.text for m in messages(path)] == ["ü", "ж"]


@pytest.mark.parametrize("text", ["", "hello\n", "12 apples - good\n", "13/2/24, 10:00 is when we meet\nsee you\n"])
def test_other_text_is_not_taken_for_a_chat(tmp_path: Path, text: str) -> None:
    path = tmp_path / "notes.txt"
    path.write_text(text, "utf-8")
    assert source_of(path) is None
