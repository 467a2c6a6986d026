"""A small valid export of every format that is registered, as its program writes it: to be spoilt by tests.

All of them are a chat between Mia (whose history it is, where the format tells) and Zoë, and hold what has a trap of
its own: a reply, a reaction, an edit, a medium, an emoji, two lines.
"""

import csv
import json
import plistlib
import sqlite3
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.train.typedstreams import body

COUNT = 12
"""Messages in each export."""
T0_S = 1_704_067_200
APPLE_S = T0_S - 978_307_200
ZOE, MIA = "+491701234567", "+447700900123"
Row = dict[str, Any]


def words(number: int) -> str:
    """What message `number` says: another text each, a few of them with something in it."""
    return f"text {number}" + ("", " 😭 größer", "\nsecond line", ' "quoted" <3 & more')[number % 4]


def telegram_json(folder: Path) -> Path:
    """`result.json` of a whole account."""
    rows: list[Row] = [
        {
            "id": number, "type": "message", "date": "2024-01-01T00:00:00", "date_unixtime": str(T0_S + number * 60),
            "from": ("Zoë", "Mia")[number % 2], "from_id": ("user2", "user1")[number % 2], "text": words(number),
        }
        for number in range(1, COUNT - 1)
    ]  # fmt: skip
    rows[2] |= {"reply_to_message_id": 1, "edited_unixtime": str(T0_S + 900), "forwarded_from": None}
    rows[3] |= {
        "text": ["ask ", {"type": "mention_name", "text": "Mia", "user_id": 1}],
        "photo": "(File not included.)",
    }
    rows[4] |= {"reactions": [{"type": "emoji", "count": 2, "emoji": "❤", "recent": [{"from_id": "user1"}]}]}
    rows[5] |= {"text": "", "poll": {"question": "When?", "answers": []}}
    rows.append({"id": 90, "type": "service", "date_unixtime": str(T0_S), "actor_id": "user2", "action": "phone_call"})
    rows.append(
        {"id": 91, "type": "service", "date_unixtime": str(T0_S), "actor_id": "user2", "action": "topic_created"}
    )
    chat = {"name": "Zoë", "type": "personal_chat", "id": 2, "messages": rows}
    person = {"user_id": 1, "first_name": "Mia", "last_name": "Moss", "phone_number": MIA}
    export = {"about": "Here is the data", "personal_information": person, "chats": {"about": "", "list": [chat]}}
    return _json(folder / "result.json", export, indent=1)


def telegram_html(folder: Path) -> Path:
    """A folder with two pages."""
    pages = folder / "ChatExport_2024-01-01"
    pages.mkdir()
    blocks = []
    for number in range(1, COUNT + 1):
        name = f'<div class="from_name">\n{("Zoë", "Mia")[number % 2]} \n</div>' if number % 3 else ""
        said = words(number).replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
        inner = ""
        if number == 4:
            inner = '<div class="reply_to details">to <a href="#go_to_message3">this</a></div>'
        if number == 5:
            inner = (
                f'<div class="forwarded body"><div class="from_name">\nAnn</div><div class="text">\n{said}</div></div>'
            )
        after = '<span class="reactions"><span class="reaction"><span class="emoji">👍</span><span class="count">2</span></span></span>'
        blocks.append(
            f'<div class="message default clearfix{"" if name else " joined"}" id="message{number}"><div class="body">'
            f'<div class="pull_right date details" title="01.01.2024 10:{number:02}:00 UTC+01:00">x</div>{name}{inner}'
            f'<div class="text">\n{said}\n</div>{after if number == 6 else ""}</div></div>'
        )
    head = '<!DOCTYPE html><html><head><title>Exported Data</title></head><body><div class="page_wrap">'
    head += '<div class="page_header"><div class="text bold">\nZoë \n</div></div><div class="history">'
    for page, some in (("messages.html", blocks[:8]), ("messages2.html", blocks[8:])):
        (pages / page).write_text(f"{head}{''.join(some)}</div></div></body></html>", "utf-8")
    return pages


def discord_json(folder: Path) -> Path:
    """A channel as DiscordChatExporter writes it."""
    rows: list[Row] = [
        {
            "id": str(10**18 + number), "type": "Default", "timestamp": f"2024-01-01T10:00:{number:02}.123+01:00",
            "timestampEdited": None, "content": words(number), "attachments": [], "embeds": [], "stickers": [],
            "author": {"id": str(1 + number % 2), "name": "zoe", "nickname": ("Zoë", "Mia")[number % 2], "isBot": False},
            "reactions": [], "mentions": [],
        }
        for number in range(COUNT)
    ]  # fmt: skip
    rows[1] |= {"reference": {"type": "Reply", "messageId": str(10**18)}, "timestampEdited": "2024-01-01T11:00:00Z"}
    rows[2] |= {"reactions": [{"emoji": {"name": "🦀"}, "count": 3, "users": [{"id": "1"}]}], "mentions": [{"id": "2"}]}
    rows[3] |= {"attachments": [{"fileName": "a.png"}], "content": "see <@2>"}
    rows[4] |= {"content": "", "poll": {"question": {"text": "Where?"}}}
    channel = {"id": "5", "type": "DirectTextChat", "name": "Zoë"}
    export = {
        "guild": {"id": "0", "name": "Direct Messages"},
        "channel": channel,
        "messages": rows,
        "messageCount": COUNT,
    }
    return _json(folder / "Direct Messages - Zoë [5].json", export, indent=2)


def discord_package(folder: Path) -> Path:
    """The data that Discord sends: a channel as JSON, a direct chat as it was before, as CSV."""
    root = folder / "package"
    _json(root / "account" / "user.json", {"id": "2", "username": "mia.moss", "global_name": "Mia", "email": "m@e.org"})
    server, direct = 10**17 + 5, 10**17 + 6
    index = {str(server): "general in Boat", str(direct): "Direct Message with zoe#0", "3": None}
    rows: list[Row] = [
        {
            "ID": 10**18 + number,
            "Timestamp": f"2024-01-01 10:00:{number:02}",
            "Contents": words(number),
            "Attachments": "",
        }
        for number in range(COUNT)
    ]
    rows[2] |= {"Contents": "see <@1>, <:crab:77>"}
    rows[3] |= {"Contents": "", "Attachments": "https://cdn.example/a.png?x=1 https://cdn.example/b.png"}
    about = {"id": str(server), "type": "GUILD_TEXT", "name": "general", "guild": {"id": "9", "name": "Boat"}}
    _json(root / "messages" / f"c{server}" / "channel.json", about)
    _json(root / "messages" / f"c{server}" / "messages.json", rows[:10][::-1])
    _json(
        root / "messages" / f"c{direct}" / "channel.json", {"id": str(direct), "type": "DM", "recipients": ["1", "2"]}
    )
    for row in rows[10:]:
        row["Timestamp"] += ".123000+00:00"
    _table(root / "messages" / f"c{direct}" / "messages.csv", rows[10:])
    _json(root / "messages" / "index.json", index)
    return root


def meta_json(folder: Path) -> Path:
    """Two threads of Messenger, one of them in two files; every string broken as Meta breaks it."""
    rows: list[Row] = [
        {"sender_name": ("Zoë", "Mia")[number % 2], "timestamp_ms": (T0_S + number) * 1000, "content": words(number)}
        for number in range(COUNT)
    ]
    rows[2] |= {"reactions": [{"reaction": "😂", "actor": "Mia"}]}
    rows[3] |= {"photos": [{"uri": "x"}]}
    rows[4] |= {"share": {"link": "https://example.org", "original_content_owner": "p"}}
    rows[5] |= {"call_duration": 5}
    inbox = folder / "facebook" / "messages" / "inbox"
    for name, number, some in (("zoë_77", 1, rows[6:]), ("zoë_77", 2, rows[:6]), ("eve_6", 1, rows[:1])):
        people = [{"name": "Zoë" if name == "zoë_77" else "Eve"}, {"name": "Mia"}]
        thread = {"participants": people, "messages": some[::-1], "title": "Zoë", "thread_path": f"inbox/{name}"}
        _json(inbox / name / f"message_{number}.json", as_meta_breaks_it(thread), indent=2)
    return folder / "facebook"


def as_meta_breaks_it(value: Any) -> Any:
    """Return a value with the UTF-8 bytes of each string read as Latin-1."""
    if isinstance(value, str):
        return value.encode("utf-8").decode("latin-1")
    if isinstance(value, list):
        return [as_meta_breaks_it(one) for one in value]
    return {key: as_meta_breaks_it(one) for key, one in value.items()} if isinstance(value, dict) else value


def slack_export(folder: Path) -> Path:
    """A workspace with a channel and a direct message."""
    root = folder / "Boat Slack export"
    people: list[Row] = [
        {"id": "U1", "name": "mia", "real_name": "Mia", "profile": {"email": "mia@example.org", "phone": MIA}},
        {"id": "U2", "name": "zoe", "profile": {"display_name": "Zoë"}}, {"id": "U9", "is_bot": True},
    ]  # fmt: skip
    _json(root / "users.json", people)
    _json(root / "channels.json", [{"id": "C1", "name": "general", "members": ["U1", "U2"]}])
    _json(root / "dms.json", [{"id": "D5", "members": ["U1", "U2"]}])
    rows: list[Row] = [
        {"type": "message", "user": ("U2", "U1")[number % 2], "text": words(number), "ts": f"{T0_S + number}.000200"}
        for number in range(COUNT)
    ]
    rows[1] |= {"thread_ts": f"{T0_S}.000200", "edited": {"ts": f"{T0_S + 99}.000000"}}
    rows[2] |= {
        "reactions": [{"name": "wave", "users": ["U1", "U2"], "count": 2}],
        "text": "<@U1> <https://a.b|c> &lt;3",
    }
    rows[3] |= {"files": [{"mimetype": "image/png"}]}
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": "ask "}]}
    rows[4] |= {"text": "", "blocks": [{"type": "rich_text", "elements": [section]}]}
    _json(root / "general" / "2024-01-01.json", rows[:6], indent=4)
    _json(root / "D5" / "2024-01-02.json", rows[6:], indent=4)
    return root


def plain_jsonl(folder: Path) -> Path:
    """Greenroom's own format: an object a line."""
    rows: list[Row] = [
        {"time": T0_S + number, "sender": ("Zoë", "Mia")[number % 2], "text": words(number)} for number in range(COUNT)
    ]
    rows[1] |= {
        "id": 7,
        "reply_to": 5,
        "is_from_me": True,
        "edited": T0_S + 99,
        "reactions": ["👍"],
        "mentions": "a, b",
    }
    rows[2] |= {"id": "x", "chat": "Boat", "chat_kind": "group", "kind": "photo", "platform": "matrix"}
    path = folder / "boat club.jsonl"
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    return path


def plain_json(folder: Path) -> Path:
    """The same as one JSON list."""
    rows = [json.loads(line) for line in plain_jsonl(folder).read_text("utf-8").splitlines()]
    (folder / "boat club.jsonl").unlink()
    return _json(folder / "boat club.json", rows, indent=2)


def plain_csv(folder: Path) -> Path:
    """The same as a table."""
    rows = [{"time": T0_S + n, "sender": ("Zoë", "Mia")[n % 2], "text": words(n), "id": n} for n in range(COUNT)]
    return _table(folder / "boat club.csv", rows)


def imazing_csv(folder: Path) -> Path:
    """A table of an iPhone's messages."""
    rows: list[Row] = [
        {
            "Chat Session": "Zoë", "Message Date": f"2024-01-01 10:00:{number:02}", "Edited Date": "",
            "Service": "iMessage", "Type": ("Incoming", "Outgoing")[number % 2], "Sender ID": (ZOE, "")[number % 2],
            "Sender Name": ("Zoë", "")[number % 2], "Text": words(number), "Reactions": "", "Attachment": "",
            "Attachment type": "",
        }
        for number in range(COUNT)
    ]  # fmt: skip
    rows[2] |= {"Reactions": "Mia: ❤️", "Edited Date": "2024-01-01 10:01:00"}
    rows[3] |= {"Attachment": "a.heic", "Attachment type": "Image (image/heic)"}
    return _table(folder / "Messages - Zoë.csv", rows)


def sms_xml(folder: Path) -> Path:
    """A backup of SMS, an MMS and a call."""
    rows = []
    for number in range(COUNT - 2):
        said = words(number).replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("\n", "&#10;")
        said = said.replace("😭", "&#55357;&#56877;")
        rows.append(
            f'<sms protocol="0" address="+49 170 1234567" date="{(T0_S + number) * 1000}" type="{1 + number % 2}" '
            f'body="{said}" contact_name="Zoë" />'
        )
    rows.append(
        f'<mms date="{(T0_S + 50) * 1000}" msg_box="1" address="+491701234567~+447700900123" m_id="m1" contact_name="Zoë, Mia">'
        '<parts><part ct="image/jpeg" data="AAAA" /><part ct="text/plain" text="look" /></parts>'
        f'<addrs><addr address="{ZOE}" type="137" /></addrs></mms>'
    )
    rows.append(f'<call number="{ZOE}" duration="61" date="{(T0_S + 60) * 1000}" type="2" contact_name="Zoë" />')
    path = folder / "sms-2024.xml"
    inner = "\n  ".join(rows)
    path.write_text(f"<?xml version='1.0' encoding='UTF-8' ?>\n<smses count=\"{COUNT}\">\n  {inner}\n</smses>", "utf-8")
    return path


def whatsapp_android(folder: Path) -> Path:
    """The text that the Android app writes."""
    lines = [f"13/2/24, 10:{n:02} - {('Zoë', 'Mia')[n % 2]}: {words(n)}" for n in range(COUNT - 2)]
    lines.insert(0, "13/2/24, 10:00 - Messages and calls are end-to-end encrypted.")
    lines.append("13/2/24, 10:30 - Zoë: <Media omitted>")
    path = folder / "WhatsApp Chat with Zoë.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def whatsapp_iphone(folder: Path) -> Path:
    """The archive that the iPhone's app writes."""
    lines = [f"[13.02.24, 10:00:{n:02}] {('Zoë', 'Mia')[n % 2]}: {words(n)}" for n in range(COUNT - 1)]
    lines.append("\u200e[13.02.24, 10:01:00] Zoë: \u200e<attached: 00000001-PHOTO.jpg>")
    path = folder / "WhatsApp Chat - Zoë.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_chat.txt", "\r\n".join(lines))
    return path


def whatsapp_ios_db(folder: Path) -> Path:
    """`ChatStorage.sqlite`."""
    path = folder / "ChatStorage.sqlite"
    jid = f"{ZOE[1:]}@s.whatsapp.net"
    rows = [
        (n, 1 + (n > 8), f"S{n}", words(n), APPLE_S + n, n % 2, (0, 1)[n == 4], jid, 7, None, (None, 1)[n == 3], (None, 5)[n == 4])
        for n in range(1, COUNT + 1)
    ]  # fmt: skip
    _database(path, f"""
        CREATE TABLE ZWACHATSESSION (Z_PK INTEGER PRIMARY KEY, ZCONTACTJID, ZPARTNERNAME);
        CREATE TABLE ZWAGROUPMEMBER (Z_PK INTEGER PRIMARY KEY, ZMEMBERJID, ZCONTACTNAME);
        CREATE TABLE ZWAPROFILEPUSHNAME (Z_PK INTEGER PRIMARY KEY, ZJID, ZPUSHNAME);
        CREATE TABLE ZWAMEDIAITEM (Z_PK INTEGER PRIMARY KEY, ZTITLE);
        CREATE TABLE ZWAMESSAGE (Z_PK INTEGER PRIMARY KEY, ZCHATSESSION, ZSTANZAID, ZTEXT, ZMESSAGEDATE, ZISFROMME,
            ZMESSAGETYPE, ZFROMJID, ZGROUPMEMBER, ZPUSHNAME, ZPARENTMESSAGE, ZMEDIAITEM);
        INSERT INTO ZWACHATSESSION VALUES (1, '{jid}', 'Zoë'), (2, '123-456@g.us', 'Boat club');
        INSERT INTO ZWAGROUPMEMBER VALUES (7, '{jid}', NULL);
        INSERT INTO ZWAPROFILEPUSHNAME VALUES (1, '{jid}', 'zo');
        INSERT INTO ZWAMEDIAITEM VALUES (5, 'the caption');""", ZWAMESSAGE=rows)  # fmt: skip
    return path


WHATSAPP_ANDROID = """
    CREATE TABLE jid (_id INTEGER PRIMARY KEY AUTOINCREMENT, user TEXT NOT NULL, server TEXT NOT NULL, agent INTEGER,
        device INTEGER, type INTEGER, raw_string TEXT);
    CREATE TABLE jid_map (lid_row_id INTEGER PRIMARY KEY NOT NULL, jid_row_id INTEGER NOT NULL, sort_id INTEGER);
    CREATE TABLE lid_display_name (lid_row_id INTEGER PRIMARY KEY NOT NULL, display_name TEXT NOT NULL, username TEXT);
    CREATE TABLE props (_id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT UNIQUE, value TEXT);
    CREATE TABLE chat (_id INTEGER PRIMARY KEY AUTOINCREMENT, jid_row_id INTEGER UNIQUE, hidden INTEGER, subject TEXT,
        created_timestamp INTEGER, sort_timestamp INTEGER);
    CREATE TABLE message (_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_row_id INTEGER NOT NULL, from_me INTEGER NOT NULL,
        key_id TEXT NOT NULL, sender_jid_row_id INTEGER, status INTEGER, broadcast INTEGER, origination_flags INTEGER,
        origin INTEGER, timestamp INTEGER, received_timestamp INTEGER, message_type INTEGER, text_data TEXT,
        starred INTEGER, sort_id INTEGER NOT NULL DEFAULT 0, message_add_on_flags INTEGER);
    CREATE TABLE message_media (message_row_id INTEGER PRIMARY KEY, chat_row_id INTEGER, file_path TEXT, mime_type TEXT,
        media_name TEXT, media_caption TEXT, media_duration INTEGER);
    CREATE TABLE message_quoted (message_row_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_row_id INTEGER NOT NULL,
        parent_message_chat_row_id INTEGER NOT NULL, from_me INTEGER NOT NULL, sender_jid_row_id INTEGER,
        key_id TEXT NOT NULL, timestamp INTEGER, message_type INTEGER, text_data TEXT);
    CREATE TABLE message_add_on (_id INTEGER PRIMARY KEY AUTOINCREMENT, chat_row_id INTEGER, from_me INTEGER,
        key_id TEXT NOT NULL, sender_jid_row_id INTEGER, parent_message_row_id INTEGER, timestamp INTEGER,
        status INTEGER, message_add_on_type INTEGER);
    CREATE INDEX message_add_on_parent ON message_add_on (parent_message_row_id);
    CREATE TABLE message_add_on_reaction (message_add_on_row_id INTEGER PRIMARY KEY, reaction TEXT,
        sender_timestamp INTEGER);
    CREATE TABLE message_edit_info (message_row_id INTEGER PRIMARY KEY, original_key_id TEXT NOT NULL,
        edited_timestamp INTEGER NOT NULL, sender_timestamp INTEGER NOT NULL);
    CREATE TABLE message_revoked (message_row_id INTEGER PRIMARY KEY, revoked_key_id TEXT NOT NULL,
        admin_jid_row_id INTEGER, revoke_timestamp INTEGER);
    CREATE TABLE message_forwarded (message_row_id INTEGER PRIMARY KEY, forward_score INTEGER);
    CREATE TABLE message_mentions (_id INTEGER PRIMARY KEY AUTOINCREMENT, message_row_id INTEGER, jid_row_id INTEGER);
    CREATE TABLE message_system (message_row_id INTEGER PRIMARY KEY, action_type INTEGER NOT NULL);
    CREATE TABLE message_ephemeral (message_row_id INTEGER PRIMARY KEY, duration INTEGER NOT NULL,
        expire_timestamp INTEGER NOT NULL, keep_in_chat INTEGER NOT NULL DEFAULT 0);"""
"""What matters here of the tables of `msgstore.db` since 2021, with the columns that they have there."""
WHATSAPP_ANDROID_OLD = """
    CREATE TABLE chat_list (_id INTEGER PRIMARY KEY AUTOINCREMENT, key_remote_jid TEXT UNIQUE, subject TEXT);
    CREATE TABLE messages (_id INTEGER PRIMARY KEY AUTOINCREMENT, key_remote_jid TEXT NOT NULL, key_from_me INTEGER,
        key_id TEXT NOT NULL, status INTEGER, needs_push INTEGER, data TEXT, timestamp INTEGER, media_mime_type TEXT,
        media_wa_type TEXT, media_size INTEGER, media_name TEXT, media_caption TEXT, origin INTEGER,
        remote_resource TEXT, quoted_row_id INTEGER, mentioned_jids TEXT, edit_version INTEGER, forwarded INTEGER);
    CREATE TABLE messages_quotes (_id INTEGER PRIMARY KEY AUTOINCREMENT, key_remote_jid TEXT NOT NULL,
        key_from_me INTEGER, key_id TEXT NOT NULL, data TEXT, timestamp INTEGER);"""
"""The same of its tables before that."""


def whatsapp_android_db(folder: Path) -> Path:
    """`msgstore.db` as it has been since 2021, and the contacts beside it."""
    path = folder / "msgstore.db"
    number = ZOE[1:]
    rows = [
        (n, 1 + (n > 8), n % 2, f"K{n}", 1 if n > 8 and not n % 2 else 0, 0, 0, 0, 0, (T0_S + n) * 1000, 0,
         {4: 1, 5: 66}.get(n, 0), words(n), 0, n, 0)
        for n in range(1, COUNT + 1)
    ]  # fmt: skip
    _database(path, f"""{WHATSAPP_ANDROID}
        INSERT INTO jid VALUES (1, '{number}', 's.whatsapp.net', 0, 0, 0, '{number}@s.whatsapp.net'),
            (2, '123-456', 'g.us', 0, 0, 1, '123-456@g.us'), (3, '777', 'lid', 0, 0, 18, '777@lid');
        INSERT INTO jid_map VALUES (3, 1, 1);
        INSERT INTO lid_display_name VALUES (3, 'zo', NULL);
        INSERT INTO props VALUES (1, 'user_push_name', 'Mia');
        INSERT INTO chat VALUES (1, 1, 0, NULL, 0, 0), (2, 2, 0, 'Boat club', 0, 0);
        INSERT INTO message_media VALUES (4, 1, 'Media/IMG-1.jpg', 'image/jpeg', NULL, NULL, 0);
        INSERT INTO message_quoted VALUES (3, 1, 1, 1, NULL, 'K1', 0, 0, NULL);
        INSERT INTO message_add_on VALUES (1, 1, 0, 'R1', 1, 2, 0, 0, 56);
        INSERT INTO message_add_on_reaction VALUES (1, '👍', 0);
        INSERT INTO message_edit_info VALUES (6, 'K6', {(T0_S + 99) * 1000}, 0);
        INSERT INTO message_forwarded VALUES (7, 1);
        INSERT INTO message_mentions VALUES (1, 9, 3);""", message=rows)  # fmt: skip
    _database(folder / "wa.db", f"""
        CREATE TABLE wa_contacts (_id INTEGER PRIMARY KEY AUTOINCREMENT, jid TEXT NOT NULL, number TEXT,
            display_name TEXT, wa_name TEXT);
        INSERT INTO wa_contacts VALUES (1, '{number}@s.whatsapp.net', '{ZOE}', 'Zoë', 'zo');""")  # fmt: skip
    return path


def whatsapp_android_old_db(folder: Path) -> Path:
    """`msgstore.db` as it was before."""
    path = folder / "msgstore.db"
    jid = f"{ZOE[1:]}@s.whatsapp.net"
    rows = [
        (n, jid if n < 9 else "123-456@g.us", n % 2, f"K{n}", 0, 0, words(n), (T0_S + n) * 1000, None,
         ("0", "1")[n == 4], 0, None, "the caption" if n == 4 else None, 0, jid if n > 8 and not n % 2 else None,
         1 if n == 3 else 0, jid if n == 9 else None, 0, 1 if n == 7 else 0)
        for n in range(1, COUNT + 1)
    ]  # fmt: skip
    _database(path, f"""{WHATSAPP_ANDROID_OLD}
        INSERT INTO chat_list VALUES (1, '{jid}', NULL), (2, '123-456@g.us', 'Boat club');
        INSERT INTO messages_quotes VALUES (1, '{jid}', 1, 'K1', NULL, 0);""", messages=rows)  # fmt: skip
    return path


def imessage_db(folder: Path) -> Path:
    """`chat.db`, a body in Apple's archive and a tapback in it."""
    path = folder / "chat.db"
    rows = [
        (n, f"G{n}", words(n) if n % 3 else None, None if n % 3 else body(words(n)), (APPLE_S + n) * 10**9, n % 2, 1)
        + (("p:0/G1", 2000) if n == 6 else (None, 0)) + ("G1" if n == 7 else None, None)
        for n in range(1, COUNT)
    ]  # fmt: skip
    edits = plistlib.dumps({"ec": {"0": [{"t": body("first")}, {"t": body("second")}]}}, fmt=plistlib.FMT_BINARY)
    rows.append((COUNT, "G99", None, None, APPLE_S * 10**9, 0, 1, None, 0, None, edits))
    _database(path, f"""
        CREATE TABLE message (ROWID INTEGER PRIMARY KEY, guid, text, attributedBody, date, is_from_me, handle_id,
            associated_message_guid, associated_message_type, thread_originator_guid, message_summary_info);
        CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id, service);
        CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, guid, chat_identifier, style, display_name);
        CREATE TABLE chat_message_join (chat_id, message_id);
        CREATE TABLE chat_handle_join (chat_id, handle_id);
        CREATE TABLE attachment (ROWID INTEGER PRIMARY KEY, mime_type, is_sticker);
        CREATE TABLE message_attachment_join (message_id, attachment_id);
        INSERT INTO handle VALUES (1, '{ZOE}', 'iMessage');
        INSERT INTO chat VALUES (1, 'iMessage;-;{ZOE}', '{ZOE}', 45, '');
        INSERT INTO chat_handle_join VALUES (1, 1);
        INSERT INTO attachment VALUES (1, 'image/png', 0);
        INSERT INTO message_attachment_join VALUES (5, 1);""",
        message=rows, chat_message_join=[(1, row[0]) for row in rows])  # fmt: skip
    return path


def signal_db(folder: Path) -> Path:
    """A decrypted `db.sqlite`."""
    path = folder / "db.sqlite"
    more: dict[int, Row] = {
        2: {"quote": {"id": (T0_S + 1) * 1000}, "reactions": [{"emoji": "👍", "fromId": "c3"}]},
        3: {"attachments": [{"contentType": "image/png"}]}, 4: {"editHistory": [{"timestamp": T0_S * 1000}]},
        5: {"bodyRanges": [{"start": 0, "length": 1, "mentionAci": "aaaa-zoe"}]}, 6: {"sticker": {"emoji": "😺"}},
    }  # fmt: skip
    rows = [
        (n, f"m{n}", json.dumps(more.get(n, {})), ("incoming", "outgoing")[n % 2], words(n), "c1", "aaaa-zoe",
         (T0_S + n) * 1000, 0, 0)
        for n in range(1, COUNT + 1)
    ]  # fmt: skip
    _database(path, f"""
        CREATE TABLE messages (rowid INTEGER PRIMARY KEY, id, json, type, body, conversationId, sourceServiceId,
            sent_at, expireTimer, hasAttachments);
        CREATE TABLE conversations (id, json, type, name, profileFullName, e164, serviceId);
        CREATE TABLE items (id, json);
        CREATE TABLE message_attachments (messageId, contentType);
        INSERT INTO items VALUES ('uuid_id', '{{"id":"uuid_id","value":"bbbb-mia.2"}}');
        INSERT INTO conversations VALUES ('c1', '{{}}', 'private', NULL, 'Zoë', '{ZOE}', 'aaaa-zoe'),
            ('c3', '{{}}', 'private', NULL, 'Mia', NULL, 'bbbb-mia');""", messages=rows)  # fmt: skip
    return path


def signal_text(folder: Path) -> Path:
    """A chat as signal-export prints it."""
    lines = [f"[2024-01-01 10:00:{n:02}] {('Zoë', 'Me')[n % 2]}: {words(n)}" for n in range(COUNT)]
    lines[2] += "\n(- Me: 👍 -)"
    lines[3] += " ![a.png](./media/a.png)"
    (folder / "Zoë").mkdir()
    (folder / "Zoë" / "chat.md").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "Zoë"


def sigtop_text(folder: Path) -> Path:
    """A chat as sigtop's `export-messages` prints it."""
    parts = [f"Conversation: Zoë ({ZOE})\n"]
    for n in range(COUNT):
        head = f"From: {(f'Zoë ({ZOE})', 'You')[n % 2]}\nType: {('incoming', 'outgoing')[n % 2]}\nSent: {_rfc(n)}\n"
        head += "" if n % 2 else f"Received: {_rfc(n)}\n"
        said = f"\n{words(n)}\n"
        if n == 2:
            head += f"Attachment: a.png (image/png, 12 bytes)\nReaction: 👍 from Mia ({MIA})\n"
        if n == 3:
            said = f"\n> From: Zoë ({ZOE})\n> Sent: {_rfc(0)}\n>\n> text 0\n{said}"
        if n == 4:
            head += "Edited: 2 versions\n"
            said = (
                f"\n| Version: 2\n| Sent: {_rfc(50)}\n|\n| {words(n)}\n|\n| Version: 1\n| Sent: {_rfc(4)}\n|\n| first\n"
            )
        parts.append(f"{head}{said}")
    path = folder / f"Zoë ({ZOE}).txt"
    path.write_text("\n".join(parts) + "\n", "utf-8")
    return path


def _rfc(seconds: int) -> str:
    return f"Mon, 1 Jan 2024 10:00:{seconds:02} +0100"


def sigtop_short(folder: Path) -> Path:
    """The same in its short format."""
    details = {2: "[1 attachment] ", 3: "[reply to Zoë on 2024-01-01 10:00, edited] "}
    lines = [f"2024-01-01 10:{n:02} {('Zoë', 'You')[n % 2]}: {details.get(n, '')}{words(n)}" for n in range(COUNT - 1)]
    lines.append("2024-01-01 10:30 Unknown: [keychange message]")
    path = folder / f"Zoë ({ZOE}).txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def signalbackup_text(folder: Path) -> Path:
    """A chat as signalbackup-tools prints it with `--exporttxt`."""
    lines = [f"[Jan 01, 2024 10:00:{n:02}] <{('Zoë', 'Mia')[n % 2]}> {words(n)}" for n in range(COUNT - 2)]
    lines[2] += " (Mia: 👍)"
    lines.append('[Jan 01, 2024 10:01:00] *** <Zoë> sent file "a.png"')
    lines.append("[Jan 01, 2024 10:02:00] *** You called")
    path = folder / "Zoë (_id12).txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


EXPORTS: dict[str, tuple[Callable[[Path], Path], ...]] = {
    "discord-json": (discord_json,),
    "discord-package": (discord_package,),
    "imazing-csv": (imazing_csv,),
    "imessage-db": (imessage_db,),
    "meta-json": (meta_json,),
    "plain": (plain_jsonl, plain_json, plain_csv),
    "signal-db": (signal_db,),
    "signal-text": (signal_text, sigtop_text, sigtop_short, signalbackup_text),
    "slack-export": (slack_export,),
    "sms-xml": (sms_xml,),
    "telegram-html": (telegram_html,),
    "telegram-json": (telegram_json,),
    "whatsapp-android-db": (whatsapp_android_db, whatsapp_android_old_db),
    "whatsapp-ios-db": (whatsapp_ios_db,),
    "whatsapp-text": (whatsapp_android, whatsapp_iphone),
}
"""Every format with what writes it into a folder and returns the export's path."""


def files_of(export: Path) -> list[Path]:
    """Return the files an export consists of."""
    return [export] if export.is_file() else sorted(one for one in export.rglob("*") if one.is_file())


def zipped(export: Path, path: Path) -> Path:
    """Put an export into an archive, as it would be downloaded, and return the archive."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in files_of(export):
            archive.write(one, one.name if export.is_file() else str(one.relative_to(export.parent)))
    return path


def _json(path: Path, value: Any, indent: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False), "utf-8")
    return path


def _table(path: Path, rows: list[Row]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def _database(path: Path, script: str, **tables: Iterable[tuple[Any, ...]]) -> None:
    db = sqlite3.connect(path)
    db.executescript(script)
    for name, rows in tables.items():
        for row in rows:
            db.execute(f"INSERT INTO {name} VALUES ({', '.join('?' * len(row))})", row)
    db.commit()
    db.close()
