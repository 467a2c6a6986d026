"""What WhatsApp writes into text exports in place of a message, or itself, in the languages of the app.

The phrases are those that its versions for Android and iOS print (`whatsapp_phrases.json`, by language; "und" has
wordings of older versions). A `%` stands for a name. They are compared in lower case, without direction marks and
the full stop at the end.
"""

import re
from functools import cache, lru_cache
from pathlib import Path

import msgspec

from train.messages import Kind
from train.sources.whatsapp_headers import unmarked

_KINDS = {
    "photo": Kind.PHOTO, "video": Kind.VIDEO, "audio": Kind.AUDIO, "sticker": Kind.STICKER, "gif": Kind.GIF,
    "contact": Kind.CONTACT, "file": Kind.FILE, "media": Kind.MEDIA, "omitted": Kind.MEDIA,
    "live_location": Kind.LOCATION, "deleted": Kind.DELETED, "deleted_by_you": Kind.DELETED,
}  # fmt: skip
_LONGEST = 120
"""Characters: no phrase that stands for a whole message is longer."""
TRAILING = " .。\n\u200e\u200f"
# <Media omitted> in a wording that is not among the phrases.
_MEDIA_STEMS = ("media", "medien", "médi", "mídia", "медиа", "medya", "медіа", "arquivo", "ficheiro")

_ATTACHED_IOS = re.compile(
    r"<(?:[^<>:：]{2,30}[:：]\s?(?P<file>[^<>]+?\.\w{2,5})\s?|(?P<named>[^<>:]+\.\w{2,5}) \w+)>\Z"
)
# "report.pdf • 3 pages (file attached)": what stands after the name is about the file.
_ATTACHED_ANDROID = re.compile(r"\A(?P<file>\S[^\n]*?\.\w{2,5})(?: • [^\n]*?)? ?\((?P<words>[^()\n]{4,40})\)(?:\n|\Z)")
_EDIT_MARK = re.compile(r"\s?\u200e?<\u200e?(?P<words>[^<>\d:/=\n]{8,60})\u200e?>\u200e?\s*\Z")
_POLL = re.compile(
    r"\A[^\n:：]{2,25}[:：]\s*\n(?P<question>[^\n]+)"
    r"(?:\n\u200e?[^\n:：]{2,25}[:：] [^\n]*\([^\n()]*\d[^\n()]*\)\u200e?)+\s*\Z"
)
_LOCATION = re.compile(r"\A[^:：\n]{2,40}\s?[:：]\s?https://(?:maps\.google\.com/\?q=|(?:maps\.app\.)?goo\.gl/)\S+\Z")
_BY_NAME = (("-photo-", Kind.PHOTO), ("-video-", Kind.VIDEO), ("-audio-", Kind.VOICE), ("-gif-", Kind.GIF),
            ("-sticker-", Kind.STICKER))  # fmt: skip
_BY_PREFIX = {
    "img-": Kind.PHOTO, "vid-": Kind.VIDEO, "ptt-": Kind.VOICE, "aud-": Kind.AUDIO, "stk-": Kind.STICKER,
}  # fmt: skip
_BY_ENDING = {
    "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "heic": Kind.PHOTO, "webp": Kind.STICKER,
    "mp4": Kind.VIDEO, "mov": Kind.VIDEO, "3gp": Kind.VIDEO, "opus": Kind.VOICE, "ogg": Kind.VOICE,
    "m4a": Kind.AUDIO, "mp3": Kind.AUDIO, "gif": Kind.GIF, "vcf": Kind.CONTACT,
}  # fmt: skip


class Phrases(msgspec.Struct, frozen=True):
    """The phrases of all languages, by what they are for."""

    ends: frozenset[str]
    """The first two and the last two letters of what a whole message can be, …"""
    begins: frozenset[str]
    """… or the first two, where a name is at the end or in between."""
    whole: dict[str, Kind]
    """What a whole message stands for."""
    deleted_by: tuple[tuple[str, str], ...]
    """What stands before and after the name of the admin who deleted a message."""
    before_names: tuple[str, ...]
    deleted_by_you: frozenset[str]
    edited: frozenset[str]
    attached: frozenset[str]
    not_readable: frozenset[str]
    calls: tuple[str, ...]
    group: tuple[tuple[bool, tuple[str, ...]], ...]
    """Whether the first part begins the line, and the parts between names."""
    titles: tuple[re.Pattern[str], ...]


@cache
def phrases() -> Phrases:
    """Return the phrases, read once."""
    raw = Path(__file__).with_name("whatsapp_phrases.json").read_bytes()
    by_language = msgspec.json.decode(raw, type=dict[str, dict[str, list[str]]])

    def all_of(key: str) -> list[str]:
        return list(dict.fromkeys(phrase for found in by_language.values() for phrase in found.get(key, ())))

    names = [phrase.partition("%") for phrase in all_of("deleted") if phrase.find("%") > 1]
    group = [(not one.startswith("%"), tuple(filter(None, map(str.strip, one.split("%"))))) for one in all_of("group")]
    whole = {_plain(phrase): kind for key, kind in _KINDS.items() for phrase in all_of(key)}
    attached = [re.fullmatch(r"% ?\((.+)\)", one) for one in all_of("attached")]
    return Phrases(
        ends=frozenset(one[:2] + one[-2:] for one in whole),
        begins=frozenset(before[:2] for before, _, _ in names),
        whole=whole,
        deleted_by=tuple((before, after) for before, _, after in names),
        before_names=tuple({before for before, _, _ in names}),
        deleted_by_you=frozenset(map(_plain, all_of("deleted_by_you"))),
        edited=frozenset(map(_plain, all_of("edited"))),
        attached=frozenset(found[1] for found in attached if found),
        not_readable=frozenset(map(_plain, all_of("not_readable"))),
        calls=tuple(all_of("calls")),
        group=tuple(dict.fromkeys(group)),
        titles=tuple(_title_pattern(one) for one in sorted(all_of("title"), key=len, reverse=True)),
    )


def _title_pattern(title: str) -> re.Pattern[str]:
    parts = [re.escape(part.strip()) for part in title.split("%")]
    before, after = (re.sub(r"\\[ -]", r"[\\s-]", part) for part in parts)
    # A browser adds (1) to the name of a file that is there already.
    return re.compile(rf"{before}\s*(?P<name>\S.*?)\s*{after}(?:\s?\(\d+\))?", re.IGNORECASE)


def _plain(text: str) -> str:
    return " ".join(unmarked(text).split()).rstrip(".。").rstrip().casefold()


def kind_of_phrase(text: str) -> Kind | None:
    """Return what a whole message stands for when it is the app's own: a medium that was left out, or `DELETED`."""
    in_angles = text[:1] == "<"
    if len(text) > _LONGEST or not (in_angles or may_be_phrase(text)):
        return None
    known = phrases()
    plain = _plain(text)
    if (kind := known.whole.get(plain)) is not None:
        return kind
    if in_angles and plain.endswith(">"):
        # Older iPhones print "<image omitted>", and versions differ in their words for "<Media omitted>".
        inner = plain[1:-1].strip()
        usual = 4 < len(inner) < 45 and not re.search(r"[\d<>/=]", inner)
        by_stem = Kind.MEDIA if usual and any(stem in inner for stem in _MEDIA_STEMS) else None
        return known.whole.get(inner, by_stem)
    if not plain.startswith(known.before_names):
        return None
    by_admin = any(plain.startswith(before) and plain.endswith(after) for before, after in known.deleted_by)
    return Kind.DELETED if by_admin else None


def may_be_phrase(text: str) -> bool:
    """Return whether `text` begins and ends like a phrase: nearly every message is somebody's own, and does not."""
    return is_like_phrase(text[:2], text.rstrip(TRAILING)[-2:])


@lru_cache(maxsize=1 << 16)
def is_like_phrase(first: str, last: str) -> bool:
    """Return whether a phrase may begin with these two letters and end with those."""
    known = phrases()
    return f"{first}{last}".casefold() in known.ends or first.casefold() in known.begins


def is_deleted_by_you(text: str) -> bool:
    """Return whether the text is the mark that only the owner's own deleted messages leave."""
    return len(text) <= _LONGEST and _plain(text) in phrases().deleted_by_you


def is_not_readable(text: str) -> bool:
    """Return whether the text says that a message can be read on the phone alone, or has not come."""
    return _plain(text) in phrases().not_readable


def attached(text: str) -> tuple[Kind, str] | None:
    """Return the kind of the file a message was exported with and its caption; None when there is no file."""
    head, mark, tail = text.rpartition("<")
    if mark and (found := _ATTACHED_IOS.match(f"<{unmarked(tail).rstrip()}")) is not None:
        kind = _kind_of_file((found["file"] or found["named"]).lower())
        # Before a document stand its name and its pages.
        return kind, "" if kind is Kind.FILE else head.rstrip()
    plain = unmarked(text)
    found = _ATTACHED_ANDROID.match(plain)
    if found is not None and found["words"].casefold() in phrases().attached:
        return _kind_of_file(found["file"].lower()), plain[found.end() :]
    return None


def _kind_of_file(name: str) -> Kind:
    for mark, kind in _BY_NAME:
        if mark in name:
            return kind
    return _BY_PREFIX.get(name[:4]) or _BY_ENDING.get(name.rpartition(".")[2], Kind.FILE)


def edit_mark(text: str) -> tuple[str, str, bool] | None:
    """Return the text before a mark like "<This message was edited>" at its end, the mark's words and whether they
    are known; None where there is none.
    """
    found = _EDIT_MARK.search(text[-80:])
    if found is None:
        return None
    words = _plain(found["words"])
    start = max(0, len(text) - 80) + found.start()
    return text[:start].rstrip(), words, words in phrases().edited or "\u200e" in found[0]


def is_call(text: str) -> bool:
    """Return whether a line written by the app is about a call."""
    return _plain(text[:_LONGEST]).startswith(phrases().calls)


def names_group(text: str) -> bool:
    """Return whether a line written by the app says what happens in groups alone: somebody came, left, renamed it."""
    plain = _plain(text)
    return any(_fits(plain, *template) for template in phrases().group)


def is_sentence(text: str) -> bool:
    """Return whether a line with a colon is one that the app writes about a group, in a language that sets one."""
    plain = _plain(text)
    with_colon = (template for template in phrases().group if any(":" in part for part in template[1]))
    return any(_fits(plain, *template) for template in with_colon)


def _fits(line: str, from_start: bool, parts: tuple[str, ...]) -> bool:
    if not parts or (from_start and not line.startswith(parts[0])):
        return False
    at = 0
    for part in parts:
        found = line.find(part, at)
        if found < 0 or (not from_start and at == 0 and found == 0):
            return False  # a name comes first
        at = found + len(part)
    return True


def poll_question(text: str) -> str | None:
    """Return the question of a poll: a heading, the question, and options with their votes in brackets."""
    found = _POLL.match(text)
    return found["question"].strip() if found else None


def is_location(text: str) -> bool:
    """Return whether the text is a shared location: a word, and a link to the map."""
    return _LOCATION.match(text) is not None


def chat_name(stem: str) -> str | None:
    """Return the chat's name from a file name without its ending ("WhatsApp Chat with Bob"), if it has one."""
    plain = " ".join(stem.split())
    found = next((found for one in phrases().titles if (found := one.fullmatch(plain)) is not None), None)
    return found["name"].strip() if found else None
