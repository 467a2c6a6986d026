"""Finds links that tell who somebody is or let others in, e-mail addresses, network addresses and wallets."""

import ipaddress
import re
from itertools import pairwise

from stdnum import bitcoin

from train.redaction.common_words import COMMON_WORDS
from train.redaction.spans import Found

# Bounded, and never begun inside a run of its own characters: linear in the length of the text.
_EMAIL = re.compile(
    r"(?<![\w.+%&'*/=?^{|}~-])[\w.+%&'*/=?^{|}~-]{1,64}(?: ?\[at\] ?| ?\(at\) ?|@)"
    r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,6}(?:[^\W\d_]{2,24}|xn--[a-z0-9-]{2,50})(?![\w@])"
)
# Spelled against machines that collect them: "anna [at] example dot org", "анна собака почта точка ру".
_SPOKEN_DOT = r"(?:\s?[\[({<]\s?(?:dot|точка|\.)\s?[\])}>]\s?|\s(?:dot|точка)\s)"
_DOT = rf"(?:{_SPOKEN_DOT}|\.)"
_AT = r"(?:\s?[\[({<]\s?(?:at|собака|собачка|ат|@)\s?[\])}>]\s?|\s?(?:собака|собачка)\s?|\s@\s)"
_JOINER = rf"(?:{_DOT}|\s(?:underscore|dash|hyphen|minus|plus|тире|дефис|нижнее подч[её]ркивание|подч[её]ркивание)\s)"
_LOCAL = rf"(?<![\w.+%-])[A-Za-z0-9_][\w+-]{{0,40}}?(?:{_JOINER}[\w+-]{{1,30}}?){{0,4}}"
_SPOKEN = re.compile(
    rf"{_LOCAL}(?:{_AT}[^\W_][\w-]{{0,40}}?(?:{_DOT}[^\W_][\w-]{{0,30}}?){{0,3}}{_DOT}|"
    # A plain "at" is one where a "dot" follows.
    rf"\sat\s[^\W_][\w-]{{0,40}}?(?:{_DOT}[^\W_][\w-]{{0,30}}?){{0,3}}{_SPOKEN_DOT})[^\W\d_]{{2,24}}(?![\w@])",
    re.I,
)
SPOKEN_WORDS = frozenset({"dot", "собака", "собачка"})
_LINK = re.compile(
    r"(?:(?<![\w])(?:[a-z][a-z0-9+.-]{1,20})://|(?<![\w@.-])www\.|(?<![\w@./-])(?=[a-z0-9.-]{1,80}\.[a-z]{2,10}/))"
    r"[^\s<>\"'`«»“”]{3,4000}",
    re.I,
)
_TRAILING = re.compile(r"[.,;:!?)\]}*_~…]+\Z")

# Where what follows the host lets somebody in, or is one person's place.
_INVITING = {
    "t.me", "telegram.me", "telegram.dog", "chat.whatsapp.com", "wa.me", "discord.gg", "discord.com", "zoom.us",
    "meet.google.com", "teams.microsoft.com", "teams.live.com", "meet.jit.si", "whereby.com", "join.skype.com",
    "docs.google.com", "drive.google.com", "photos.app.goo.gl", "dropbox.com", "onedrive.live.com", "1drv.ms",
    "wetransfer.com", "we.tl", "icloud.com", "disk.yandex.ru", "yadi.sk", "cloud.mail.ru", "invite.viber.com",
    "signal.group", "signal.me", "facebook.com", "fb.com", "m.me", "instagram.com", "vk.com", "ok.ru", "linkedin.com",
    "twitter.com", "x.com", "tiktok.com", "paypal.me", "revolut.me", "calendly.com", "maps.app.goo.gl", "goo.gl",
    "bit.ly", "tinyurl.com", "clck.ru", "vk.cc", "telemost.yandex.ru", "notion.so", "figma.com", "pastebin.com",
    "t.co", "is.gd", "ow.ly", "rb.gy", "cutt.ly", "surl.li", "u.to", "miro.com", "loom.com", "canva.com", "forms.gle",
    "salutejazz.ru", "jazz.sber.ru", "webex.com", "gofile.io", "file.io", "mega.nz",
    "transfer.sh", "docs.yandex.ru", "forms.yandex.ru", "forms.office.com", "sharepoint.com", "trello.com",
    "airtable.com",
    "line.me", "snapchat.com", "venmo.com", "cash.app", "monzo.me", "splitwise.com", "airbnb.com", "strava.com",
}  # fmt: skip
# Where everybody sees the same under a link; what is tracked is whoever shared it.
_PUBLIC = (
    "youtube.com",
    "youtu.be",
    "open.spotify.com",
    "wikipedia.org",
    "news.ycombinator.com",
    "imdb.com",
    "amazon.com",
    "kinopoisk.ru",
)
_PUBLIC_NAMES = frozenset("v t id q list index page p start item tbm hl gl lang".split())
_HOSTS = tuple(f".{host}" for host in _INVITING)
# Words of a path that stay: they say what a link is and not whose.
_PATH_WORDS = frozenset(
    """in p s j u d c r a joinchat invite join addstickers channel channels channels group groups profile profiles user
    users people company posts post status reel reels tv stories photo photos video videos watch wall club id document
    meetup-join
    spreadsheets presentation file files folder folders drive edit view open share shared wc my meeting meet room www o
    e l pub jobs feed explore login reset verify confirm account accounts activate auth unsubscribe download maps place
    dir search article articles news blog wiki en ru de fr es it html htm php index""".split()
)
_TOKEN = re.compile(
    r"(?=[^/]*\d)(?=[^/]*[A-Za-z])[A-Za-z0-9_=+.~-]{16,}|[A-Za-z0-9_=-]{24,}|[0-9a-f-]{32,36}|\d{9,}", re.I
)
_WORDS = re.compile(r"[-_.+]")
_NUMBERED = re.compile(r"[a-z]{2,20}(?:-[a-z]{2,20}){0,8}-\d{4,10}|[a-z]{3,20}\d{0,4}(?:\.[a-z]{2,5})?")

_IPV4 = re.compile(r"(?<![\w.-])(?<!\bv )(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f]{0,4}:[0-9a-f:]{2})[0-9a-f:]{3,39}(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])", re.I
)
_MAC = re.compile(r"(?<![\w:-])[0-9a-f]{2}(?:(?:[:-][0-9a-f]{2}){5})(?![\w:-])", re.I)
_VERSION_BEFORE = re.compile(
    r"\b(?:v|ver|version|build|release|firmware|driver|верси\w+|прошивк\w+|билд)[\s.:]{0,3}\Z", re.I
)

_MACHINE_BEFORE = re.compile(
    r"\b(?:ip|server|host|ping\w*|ssh|dns|gateway|сервер\w*|хост\w*|адрес\w*|айпи)\b|[@/]\Z", re.I
)

_WALLET = re.compile(
    r"(?<!\w)(?:0x[0-9a-fA-F]{40}|(?:bc1|tb1|ltc1)[02-9ac-hj-np-z]{25,87}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|"
    r"T[1-9A-HJ-NP-Za-km-z]{33}|[LMD][1-9A-HJ-NP-Za-km-z]{26,33}|4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|"
    r"[EU]Q[A-Za-z0-9_-]{46}|r[1-9A-HJ-NP-Za-km-z]{24,34})(?!\w)"
)


def find_emails(text: str, found: Found) -> None:
    """Find e-mail addresses, also written "name(at)host.org"."""
    for match in _EMAIL.finditer(text):
        start = match.start()
        # A mark around an address is not part of it.
        while text[start] in "'*/=?^{|}~.%&-" and start < match.end() - 5:
            start += 1
        found.add(start, match.end(), "email")


def find_spoken_emails(text: str, found: Found) -> None:
    """Find e-mail addresses whose signs are spelled out: "anna at example dot org"."""
    for match in _SPOKEN.finditer(text):
        found.add(match.start(), match.end(), "email")


def find_links(text: str, found: Found) -> None:
    """Find the parts of links that are tokens: who is logged in, query strings, invitations, profiles, random paths.

    The rest of a link is kept from being looked at for anything but names.
    """
    for match in _LINK.finditer(text):
        trailing = _TRAILING.search(match[0])
        link = match[0][: trailing.start()] if trailing else match[0]
        if found.taken(match.start(), match.start() + len(link)):
            continue
        for start, end in _private_parts(link):
            found.add(match.start() + start, match.start() + end, "link")
        found.link(match.start(), match.start() + len(link))


def _private_parts(link: str) -> list[tuple[int, int]]:
    """Return where in a link something lies that must not be read."""
    scheme = link.find("://")
    begin = scheme + 3 if scheme >= 0 else 0
    ends = [at for at in (link.find(mark, begin) for mark in "/?#") if at >= 0]
    path = min(ends, default=len(link))
    parts = []
    login = link.rfind("@", begin, path)
    if login > begin:
        parts.append((begin, login))
    host = _host(link[login + 1 if login > begin else begin : path])
    if _is_private_host(host):
        parts.append((login + 1 if login > begin else begin, path))
    query = min((at for at in (link.find(mark, path) for mark in "?#") if at >= 0), default=len(link))
    inviting = host in _INVITING or host.endswith(_HOSTS)
    public = host.endswith(_PUBLIC)
    at = path
    for segment in link[path:query].split("/"):
        if segment and _is_private(segment, inviting=inviting, public=public):
            parts.append((at, at + len(segment)))
        at += len(segment) + 1
    if query < len(link) - 1:
        parts.extend(_values(link, query, public=public))
    return parts


def _host(authority: str) -> str:
    host = authority.partition(":")[0].casefold()
    return host.removeprefix("www.")


def _is_private_host(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_private(segment: str, *, inviting: bool, public: bool) -> bool:
    if segment.casefold() in _PATH_WORDS or public:
        return False
    if inviting:
        return True
    if sum(len(word) > 2 and word.isalpha() for word in _WORDS.split(segment)) > 1:
        # A headline, with its number.
        return False
    if _NUMBERED.fullmatch(segment):
        return False
    return _TOKEN.fullmatch(segment) is not None or _is_mixed(segment)


def _is_mixed(segment: str) -> bool:
    """Return whether a part of a path is letters of both cases and digits in no order, as titles are not."""
    changes = sum(a.isalnum() and b.isalnum() and _sort(a) != _sort(b) for a, b in pairwise(segment))
    return len(segment) >= 7 and changes >= 3 and any(map(str.isdigit, segment)) and any(map(str.isupper, segment))


def _sort(char: str) -> int:
    return 0 if char.isdigit() else 1 if char.isupper() else 2


def _values(link: str, query: int, *, public: bool) -> list[tuple[int, int]]:
    """Return where the values of a query or fragment lie; the names of parameters stay."""
    parts = []
    at = query + 1
    for piece in re.split(r"[&;#?]", link[at:]):
        name, equals, value = piece.partition("=")
        if public and (name in _PUBLIC_NAMES or not equals):
            pass
        elif equals and value.isalpha() and (len(value) <= 5 or value in COMMON_WORDS):
            # "lang=en", "usp=sharing" say nothing of anybody.
            pass
        elif equals and value:
            parts.append((at + len(name) + 1, at + len(piece)))
        elif not equals and (len(piece) >= 16 or any(map(str.isdigit, piece))):
            parts.append((at, at + len(piece)))
        at += len(piece) + 1
    return parts


def find_addresses_of_machines(text: str, found: Found) -> None:
    """Find IP addresses of version 4 and 6, and hardware addresses; not those that mean "here"."""
    if "." in text:
        for match in _IPV4.finditer(text):
            before = text[max(0, match.start() - 16) : match.start()]
            # Numbers that are all small are a version, unless a machine is spoken of.
            small = all(int(part) < 32 for part in match[0].split("."))
            if not _VERSION_BEFORE.search(before) and not (small and not _MACHINE_BEFORE.search(before)):
                _add_ip(match, found)
    if ":" in text or "-" in text:
        for match in _MAC.finditer(text):
            found.add(match.start(), match.end(), "ip")
        for match in _IPV6.finditer(text):
            if match[0].count(":") >= 2:
                _add_ip(match, found)


def _add_ip(match: re.Match[str], found: Found) -> None:
    try:
        address = ipaddress.ip_address(match[0])
    except ValueError:
        return
    if not (address.is_loopback or address.is_unspecified):
        found.add(match.start(), match.end(), "ip")


def find_wallets(text: str, found: Found) -> None:
    """Find addresses of Bitcoin, Ethereum, Monero, Tron, Litecoin, Dogecoin, TON and XRP."""
    for match in _WALLET.finditer(text):
        value = match[0]
        if value[0] in "13" and not bitcoin.is_valid(value):
            continue
        if sum(map(str.isdigit, value)) >= 3 and any(map(str.isalpha, value)):
            found.add(match.start(), match.end(), "wallet")
