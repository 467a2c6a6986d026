"""The texts that programs print Signal's chats in, read into messages of one kind.

signal-export (Markdown, a folder a chat), sigtop (`export-messages`, formats `text` and `text-short`) and
signalbackup-tools (`--exporttxt`). All but sigtop's `text` print local times without a zone.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from train.messages import Kind

Line = tuple[int, str]
"""A line of the file and its number."""


class Printed(msgspec.Struct):
    """A message as it is printed."""

    line: int
    time: str
    """As printed: it is part of the message's id."""
    when: datetime | None = None
    """None for a time that there is not."""
    name: str | None = None
    kind: Kind = Kind.TEXT
    text: str = ""
    reactions: list[tuple[str, str]] = msgspec.field(default_factory=list)
    """Who, and the emoji."""
    answers: str | None = None
    """The time of the message that this one answers, as printed."""
    edited: datetime | None = None
    is_message: bool = True
    """False for lines that are none."""


_ENDINGS = {
    "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "webp": Kind.PHOTO, "heic": Kind.PHOTO, "gif": Kind.GIF,
    "mp4": Kind.VIDEO, "mov": Kind.VIDEO, "webm": Kind.VIDEO, "mkv": Kind.VIDEO, "m4a": Kind.VOICE, "aac": Kind.VOICE,
    "mp3": Kind.AUDIO, "ogg": Kind.AUDIO, "opus": Kind.AUDIO, "wav": Kind.AUDIO, "flac": Kind.AUDIO,
}  # fmt: skip
_BY_MIME = {"image": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO}
_MONTHS = {name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)}


def kind_of_mime(mime: str) -> Kind:
    """Return what a file of this content type is."""
    return Kind.GIF if mime == "image/gif" else _BY_MIME.get(mime.partition("/")[0], Kind.FILE)


def blocks(lines: Iterator[Line], first: re.Pattern[str]) -> Iterator[tuple[int, str]]:
    """Yield each message, which begins with a line that `first` matches; what stands before the first is one too."""
    start = 1
    held: list[str] = []
    for number, line in lines:
        if held and first.match(line):
            yield start, "".join(held)
            held.clear()
        if not held:
            if not line.strip():
                continue
            start = number
        held.append(line)
    if held:
        yield start, "".join(held)


# signal-export: `[2024-01-01 10:00:00] Name: text`, then reactions, stickers and files in a Markdown of its own.

EXPORT_LINE = re.compile(
    r"\[(?P<time>\d{4}-\d\d-\d\d[ T]\d\d:\d\d(?::\d\d)?)\] (?P<name>[^:\n]{1,200}): ?(?P<text>.*)", re.DOTALL
)
_GIVEN = re.compile(r"\(- (?P<all>.+) -\)\s*(?=\Z|\(\(|!?\[|\((?:media|attachment) )")
_FILE = re.compile(r"(?P<image>!?)\[(?P<name>[^\]\n]*)\]\((?:\./)?media/[^)\n]*\)")
_STICKER = re.compile(
    r"\(\( (?P<emoji>[^\n]{1,40}) \)\)\s*\Z|\[(?P<label>[^\]\n]*)\]\(\.\./exported_stickers/[^)\n]*\)\s*\Z"
)
_NOT_EXPORTED = re.compile(r"\((media|attachment) not exported\)\s*\Z")
_CALL = re.compile(
    r"(?:(?:Incoming|Outgoing) call|(?:Incoming|Outgoing|Missed) (?:voice |video |\w+ )?call(?: \([^()]+\))?)"
)
_QUOTE = re.compile(r"\s*(?:>[^\n]*(?:\n|\Z))+")
_DELETED = "(This message was deleted)"


def of_signal_export(lines: Iterator[Line]) -> Iterator[Printed]:
    """Yield the messages of a `chat.md`."""
    for line, block in blocks(lines, EXPORT_LINE):
        found = EXPORT_LINE.match(block)
        if found is None:
            yield Printed(line, "", is_message=False)
            continue
        one = Printed(line, found["time"], _iso(found["time"]), found["name"].strip())
        if one.name == "No-Sender":
            one.name = None
        # What is quoted stands first, and is somebody else's.
        text = _QUOTE.sub("", found["text"], count=1) if _QUOTE.match(found["text"]) else found["text"]
        text = text.strip()
        if text == _DELETED:
            one.kind = Kind.DELETED
            yield one
            continue
        if given := _GIVEN.search(text):
            text = text[: given.start()].rstrip() + text[given.end() :]
            pairs = [each.partition(":") for each in given["all"].split(",")]
            one.reactions = [(who.strip(), emoji.strip()) for who, _, emoji in pairs if emoji.strip()]
        files = list(_FILE.finditer(text))
        text = _FILE.sub("", text).strip()
        if files:
            ending = files[0]["name"].rpartition(".")[2].lower()
            one.kind = _ENDINGS.get(ending, Kind.PHOTO if files[0]["image"] else Kind.FILE)
        elif sticker := _STICKER.search(text):
            one.kind, text = Kind.STICKER, sticker["emoji"] or sticker["label"]
        elif missing := _NOT_EXPORTED.search(text):
            one.kind, text = (Kind.MEDIA if missing[1] == "media" else Kind.FILE), text[: missing.start()].strip()
        elif _CALL.fullmatch(text):
            one.kind = Kind.CALL
        one.text = text
        yield one


# sigtop, text: paragraphs of `Field: value`, then the words; what is quoted behind ">", versions behind "|".

SIGTOP_HEAD = re.compile(r"Conversation: .")
_SIGTOP_FIELD = re.compile(r"(From|Type|Sent|Received|Attachment|Reaction|Edited|Version): (.*)")
_SIGTOP_START = re.compile(r"(?:From: [^\n]+\n)?Type: [\w-]+\n(?:Sent|Received): ")
_SIGTOP_FILE = re.compile(r".*\((?P<mime>[\w.+/-]*)(?:, \d+ bytes)?\)")


def of_sigtop(lines: Iterator[Line]) -> Iterator[Printed]:
    """Yield the messages of sigtop's `text`; the first paragraph names the chat."""
    held: list[Line] = []
    for number, line in lines:
        if number == 1 and SIGTOP_HEAD.match(line):
            continue
        held.append((number, line.rstrip("\r\n")))
        # A message begins after an empty line with its first two or three fields; a paragraph of its words does not.
        for begin in (len(held) - 3, len(held) - 2):
            if begin > 0 and not held[begin - 1][1] and _begins_message(held[begin:]):
                yield from _sigtop_message(held[:begin])
                held = held[begin:]
                break
    yield from _sigtop_message(held)


def _begins_message(lines: list[Line]) -> bool:
    return _SIGTOP_START.match("\n".join(text for _, text in lines)) is not None


def _sigtop_message(lines: list[Line]) -> Iterator[Printed]:
    while lines and not lines[0][1]:
        lines = lines[1:]
    if not lines:
        return
    one = Printed(lines[0][0], "")
    texts = [text for _, text in lines]
    if not _begins_message(lines[:3]):
        one.is_message = False
        yield one
        return
    rest = _fields(texts, one)
    if rest and rest[0].startswith("| Version: "):
        newest = [text.removeprefix("|").removeprefix(" ") for text in _until_next_version(rest)]
        version = Printed(0, "")
        rest = _fields(newest, version)
        one.edited = version.when
        if version.kind is not Kind.TEXT:
            one.kind = version.kind
    rest = _quoted(rest, one)
    while rest and not rest[-1]:
        rest.pop()
    # What the app says has no words of its own, but the name of what it is.
    one.text = "\n".join(rest) or one.text
    yield one


def _until_next_version(lines: list[str]) -> list[str]:
    for number, text in enumerate(lines[1:], 1):
        if text.startswith("| Version: ") or not text.startswith("|"):
            return lines[:number]
    return lines


def _fields(lines: list[str], one: Printed) -> list[str]:
    """Take the fields that a message or a version of it begins with; return the lines after them."""
    for number, text in enumerate(lines):
        found = _SIGTOP_FIELD.fullmatch(text)
        if found is None:
            return lines[number + 1 :] if not text else lines[number:]
        field, value = found.groups()
        match field:
            case "From":
                one.name = value
            case "Type" if value == "call-history":
                one.kind = Kind.CALL
            case "Type" if value not in ("incoming", "outgoing"):
                one.kind, one.text = Kind.SERVICE, value
            case "Sent":
                one.time, one.when = value, _rfc(value)
            case "Received" if not one.time:
                one.time, one.when = value, _rfc(value)
            case "Attachment" if one.kind is Kind.TEXT:
                mime = _SIGTOP_FILE.fullmatch(value)
                one.kind = kind_of_mime(mime["mime"] if mime else "")
            case "Reaction":
                emoji, _, who = value.partition(" from ")
                one.reactions.append((who, emoji))
    return []


def _quoted(lines: list[str], one: Printed) -> list[str]:
    """Go past what is quoted and note when that was sent; return the message's own words."""
    if not (lines and lines[0].startswith("> From: ")):
        return lines
    for number, text in enumerate(lines):
        if text.startswith("> Sent: ") and one.answers is None:
            one.answers = text.removeprefix("> Sent: ")
        if not text.startswith(">"):
            return lines[number + 1 :] if not text else lines[number:]
    return []


# sigtop, text-short: `2024-01-01 10:00 Name: [details] text`.

SHORT_LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d) (?!-)(?P<name>[^:\n]{1,200}):(?: (?P<text>.*)|\s*)\Z", re.DOTALL
)
_DETAIL = r"(?:reply to [^\n]{1,200}? on (?:\d{4}-\d\d-\d\d \d\d:\d\d|unknown)|edited|\d+ attachments?)"
_DETAILS = re.compile(rf"\[(?P<all>{_DETAIL}(?:, {_DETAIL})*)\](?: |\Z)")
_TYPE = re.compile(r"\[(?P<type>[\w-]*) message\]")


def of_sigtop_short(lines: Iterator[Line]) -> Iterator[Printed]:
    """Yield the messages of sigtop's `text-short`, which says that something was attached, not what."""
    for line, block in blocks(lines, SHORT_LINE):
        found = SHORT_LINE.match(block)
        if found is None:
            yield Printed(line, "", is_message=False)
            continue
        one = Printed(line, found["time"], _iso(found["time"]), found["name"].strip())
        text = (found["text"] or "").removesuffix("\n")
        if kind := _TYPE.fullmatch(text):
            one.kind = Kind.CALL if kind["type"] == "call-history" else Kind.SERVICE
            one.text = kind["type"] if one.kind is Kind.SERVICE else ""
            yield one
            continue
        if details := _DETAILS.match(text):
            text = text[details.end() :]
            answered = re.search(r"reply to .+? on (\d{4}-\d\d-\d\d \d\d:\d\d)", details["all"])
            one.answers = answered[1] if answered else None
            one.kind = Kind.MEDIA if "attachment" in details["all"] else Kind.TEXT
            one.edited = one.when if re.search(r"(?:^|, )edited(?:$|,)", details["all"]) else None
        one.text = text
        yield one


# signalbackup-tools: `[Jan 02, 2024 10:00:00] <Name> text (Other: 👍)`, lines of the app and files behind "***".

BACKUP_LINE = re.compile(
    r"\[(?P<time>(?P<month>[A-Z][a-z]{2}) (?P<day>\d\d), (?P<year>\d{4}) (?P<clock>\d\d:\d\d:\d\d))\] "
    r"(?P<app>\*\*\* )?(?:<(?P<name>[^>\n]{1,200})>(?: |$))?(?P<text>.*)",
    re.DOTALL,
)
_SENT = re.compile(r"sent file(?: of type (?P<mime>[\w.+-]+/[\w.+-]+)| \"(?P<name>[^\n]*)\")?\s*\Z")
_BACKUP_GIVEN = re.compile(r" \((?P<all>[^()\n]+: [^()\n]+)\)\s*\Z")
_POLL = re.compile(r"Poll: (?P<question>.*?)\n(?:\s+\[\d+\] [^\n]*(?:\n|\Z))+\Z", re.DOTALL)


def of_signalbackup(lines: Iterator[Line]) -> Iterator[Printed]:
    """Yield the messages of `--exporttxt`: without deleted ones and those that could be seen once."""
    for line, block in blocks(lines, BACKUP_LINE):
        found = BACKUP_LINE.match(block)
        if found is None:
            yield Printed(line, "", is_message=False)
            continue
        one = Printed(line, found["time"], name=found["name"])
        if found["month"] in _MONTHS:
            one.when = _iso(f"{found['year']}-{_MONTHS[found['month']]:02}-{found['day']} {found['clock']}")
        text = found["text"].removesuffix("\n")
        if found["app"] or found["name"] is None:
            text, one.reactions = _reactions_at_the_end(text) if found["name"] else (text, [])
            sent = _SENT.fullmatch(text) if found["name"] else None
            if sent is None:
                one.kind, one.name = Kind.SERVICE, None
                one.text = text
            else:
                ending = (sent["name"] or "").rpartition(".")[2].lower()
                one.kind = kind_of_mime(sent["mime"]) if sent["mime"] else _ENDINGS.get(ending, Kind.FILE)
        elif poll := _POLL.fullmatch(text):
            one.kind, one.text = Kind.POLL, poll["question"]
        else:
            one.text, one.reactions = _reactions_at_the_end(text)
        yield one


def _reactions_at_the_end(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a text without the reactions printed after it; brackets with anything but emoji in them are words."""
    found = _BACKUP_GIVEN.search(text)
    if found is None:
        return text, []
    pairs = [each.rpartition(": ") for each in found["all"].split("; ")]
    if all(who and _is_emoji(emoji) for who, _, emoji in pairs):
        return text[: found.start()], [(who, emoji) for who, _, emoji in pairs]
    return text, []


def _is_emoji(text: str) -> bool:
    return len(text) <= 16 and any(ord(one) > 0x203B for one in text) and not any(one.isalpha() for one in text)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _rfc(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
