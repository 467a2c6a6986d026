"""The first line of each message in a WhatsApp text export: its printed time, and what follows.

iOS writes `[date, time] Name: text`, until 2017 `date, time: Name: text`, and Android `date, time - Name: text`.
How dates and times are printed is the phone's affair: its language, its region, its calendar and its clock. The words
are Unicode's for every language of the app (`whatsapp_calendar.json`).
"""

import re
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path

import msgspec

# U+200E and U+200F stand at line starts, U+202A to U+202E and U+2066 to U+2069 around names and numbers.
MARKS = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"
_UNMARK = str.maketrans("", "", MARKS)
_BLANKS = re.compile(r"[\s.\u200b\u200c]+")
_LONGEST = 80
"""Characters of a line that are looked at for a printed time: none is longer, with day and period in full."""

# Exports of other years, and of people's own choice, have words that Unicode's data no longer has.
_OLDER_PERIODS = {
    "vorm": "am", "nachm": "pm", "prijepodne": "am", "poslijepodne": "pm", "препдне": "am", "пре подне": "am",
    "по подне": "pm", "म.पू.": "am", "म.उ.": "pm", "মধ্যাহ্ন": "pm", "পূর্বাহ্ণ": "am", "অপরাহ্ণ": "pm",
    "முற்பகல்": "am", "பிற்பகல்": "pm", "ಪೂರ್ವಾಹ್ನ": "am", "ಅಪರಾಹ್ನ": "pm", "પૂર્વ મધ્યાહ્ન": "am",
    "ઉત્તર મધ્યાહ્ન": "pm", "ఉద": "am", "अपराह्न": "pm", "पूर्वाह्न": "am", "da manhã": "am", "قبل دوپہر": "am",
    "بعد دوپہر": "pm", "paradite": "am", "pasdite": "pm", "pd": "am", "md": "pm", "el": "am", "pl": "pm",
}  # fmt: skip
_ERAS = {"令和": 2018, "r": 2018, "平成": 1988, "h": 1988}
"""Years before the first of the eras that Japanese dates count from: R4, 令和4年."""

_M = f"[{MARKS}]*"
_SEPARATOR = rf"{_M}(?:[./-]|[年년])?{_M}\s?"
# \d also matches the digits of Arabic, Persian and Hindi exports, and int() reads them.
_NUMERIC = (
    rf"(?P<a>(?:令和|平成|[RHrh])?\d{{1,4}}){_M}(?P<sep>\.\s|[./-]|[年년])\s?{_M}(?P<b>\d{{1,2}})"
    rf"{_M}(?:[./-]|[月월]){_M}\s?(?P<c>(?:[RHrh])?\d{{1,4}})(?:[.日일])?(?:\s(?:г\.?|BE|พ\.ศ\.|AP|AH|هـ))?\.?"
)
# With the month as a word, whatever else there is: "20 de ago. de 2022", "Aug 20, 2022", "2022 m. rugpjūčio 20 d."
_NAMED = r"(?P<date>[^\n\[\]:]{8,45}?)"
# Vowel signs of many scripts are no \w.
_TOKENS = re.compile(r"\d+|[^\s\d,،:/()\[\]_-]+")
_TIME = (
    r"(?:(?P<pre>PERIOD)\s?)?(?P<h>\d{1,2})(?:[:.٫]|\s?h\s?)(?P<m>\d{2})(?:(?:[:.٫]|\smin\s)(?P<s>\d{2}))?"
    rf"(?:\s?s)?(?:[\s,]?{_M}(?P<post>PERIOD))?(?:\sч\.?|\sน\.)?\)?"
)
# Between date and time: a comma, a blank, a word like "um", "at", "a las", "kl.".
_AT = r"(?:um|at|à|a\slas?|alle|às|kl|klo|om|la|o|в|у|на|ora|při|pukul)"
_BETWEEN = rf"{_M}(?:\s?[,،、]{_M}\s*|\s)\(?{_M}(?:{_AT}\.?\s)?{_M}"
_ENDS = (rf"(?P<end>\]){_M}\s?-?\s?", r"(?:\s(?P<end>[-–—])\s?|(?P<colon>:)\s)")

# What nearly every line looks like; the rest goes through the patterns above, which take four times as long.
_USUAL_HEADER = (
    r"\u200e?(?P<bracket>\[)?(?P<date>\d{1,4}(?P<separator>[./-])\d{1,2}(?P=separator)\d{1,4}),? "
    r"(?P<clock>\d{1,2}:\d{2}(?::\d{2})?(?:[ \u202f][AaPp][Mm])?)(?P<end>(?(bracket)\] ?|(?: - | -$|: )))"
)
_USUAL = re.compile(_USUAL_HEADER)
_END = _USUAL.groupindex["end"]
# From line to line in one go. A name is only told where no colon can belong to it.
USUAL_LINE = re.compile(rf"\n{_USUAL_HEADER}(?:(?P<author>[^\n:]+): )?[^\n]*", re.MULTILINE)


Shape = tuple[str, str, bool, bool]


class Header(msgspec.Struct, gc=False):
    """The first line of a message: its printed time taken apart."""

    shape: Shape
    """What ends the time ("]", "-" or ":"), what stands between the parts of the date, seconds, a day period."""
    parts: tuple[int, int, int]
    """The numbers of the date as they are printed; year, month, day where the month is a word."""
    digits: tuple[int, int]
    """How many digits the first and the last part of the date have."""
    second: int
    """Seconds from midnight."""
    end: int
    """Where in the line the rest begins: author and text."""


def begins_message(line: str) -> bool:
    """Return whether a line may have a header in it; far most that continue a message are told at once."""
    return line[:1] in _BEGINNINGS or _may_begin(line)


def parse_header(line: str) -> Header | None:
    """Return the header in a line, None when the line continues a message."""
    found = _USUAL.match(line)
    if found is None:
        return _parse_unusual(line) if begins_message(line) else None
    bracket, date, separator, clock, end = found.groups()
    second, shown = clock_of(clock)
    if second is None:
        return None
    return Header(shape_of(bracket, separator, end, shown), *date_of(date), second, found.end())


Found = tuple[int, int, Header, str | None]
"""Where in a text a message begins, on which of its lines (from 0), its header, and the printed name of its author
where that is plain to see."""


def headers_in(text: str) -> Iterator[Found]:
    """Yield the messages that begin in a text of whole lines; as `parse_header` says of each line, but faster."""
    text = f"\n{text}"
    line = end = 0
    shape: Shape = ("", "", False, False)
    printed_shape: object = None
    for found in USUAL_LINE.finditer(text):
        start = found.start()
        if start != end:
            yield from _headers_line_by_line(text, end, start, line)
            line += text.count("\n", end, start)
        bracket, date, separator, clock, mark, author = found.groups()
        second, shown = clock_of(clock)
        if second is not None:
            if (printed := (bracket, separator, mark, shown)) != printed_shape:
                printed_shape = printed
                shape = shape_of(bracket, separator, mark, shown)
            parts, digits = date_of(date)
            yield start, line, Header(shape, parts, digits, second, found.end(_END) - start - 1), author
        line += 1
        end = found.end()
    yield from _headers_line_by_line(text, end, len(text), line)


def _headers_line_by_line(text: str, start: int, end: int, number: int) -> Iterator[Found]:
    """Look at the lines of a text between two newlines."""
    while start < end:
        after = text.find("\n", start + 1)
        after = end if after < 0 else after
        # With its newline, which may stand for the blank after a time.
        header = parse_header(text[start + 1 : after + 1])
        if header is not None:
            header.end = min(header.end, after - start - 1)
            yield start, number, header, None
        number += 1
        start = after


@lru_cache(maxsize=1 << 16)
def date_of(printed: str) -> tuple[tuple[int, int, int], tuple[int, int]]:
    """Return the parts of a usual date, and how many digits the first and the last have."""
    a, b, c = re.split("[./-]", printed)
    return (int(a), int(b), int(c)), (len(a), len(c))


@lru_cache(maxsize=1 << 17)
def clock_of(printed: str) -> tuple[int | None, tuple[bool, bool]]:
    """Return the second of the day a clock shows, None where there is none, and whether it has seconds, and AM."""
    period = printed[-2:] if printed[-1] in "Mm" else None
    hour, minute, *second = map(int, (printed[:-3] if period else printed).split(":"))
    at = _second_of_day(hour, minute, second[0] if second else 0, "" if period is None else _half(period))
    return at, (bool(second), period is not None)


@lru_cache(maxsize=256)
def shape_of(bracket: str | None, separator: str, end: str, shown: tuple[bool, bool]) -> Shape:
    """Return the shape of a usual header, see `Header.shape`, by its bracket, separator, end and clock."""
    return "]" if bracket else end.strip(), separator, *shown


_BEGINNINGS = frozenset("[0123456789")


def _may_begin(line: str) -> bool:
    start = line[:_LONGEST].lstrip(MARKS + " ")
    first = start[:1]
    if first == "[" or first.isdigit():
        return True
    # "Aug 20, 2022, 2:56 PM - Bob: hi": a word is only worth a look before a dash and a colon.
    return first.isalpha() and any(dash in start for dash in (" - ", " – ")) and any(c.isdigit() for c in start[:24])


def _parse_unusual(line: str) -> Header | None:
    bracketed = line[:8].lstrip(MARKS + " ")[:1] == "["
    for pattern, build in _patterns(bracketed):
        found = pattern.match(line)
        if found is not None and (header := build(found)) is not None:
            return header
    return None


@cache
def _patterns(bracketed: bool) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Header | None]], ...]:
    words = "|".join(sorted((_spread(word) for word in _periods()), key=len, reverse=True))
    time = _TIME.replace("PERIOD", words)
    start, end = (rf"{_M}\s?\[{_M}", _ENDS[0]) if bracketed else (_M, _ENDS[1])
    layouts = [
        (f"{_NUMERIC}{_BETWEEN}{time}", _numeric),
        (f"{time}{_BETWEEN}{_NUMERIC}", _numeric),
        (f"{_NAMED}{_BETWEEN}{time}", _named),
        (f"{time}{_BETWEEN}{_NAMED}", _named),
    ]
    return tuple((re.compile(f"{start}{layout}{_M}{end}", re.IGNORECASE), build) for layout, build in layouts)


def _spread(word: str) -> str:
    """Return a pattern for a period however its letters are set: "pm" is printed as "p. m.", "P.M.", "p.m" …"""
    if len(word) <= 5:
        return r"[.\u200c]?\s?".join(map(re.escape, word.replace(" ", ""))) + r"\.?"
    return r"[\s.\u200c]*".join(map(re.escape, word.split())) + r"\.?"


def _numeric(found: re.Match[str]) -> Header | None:
    a, c = found["a"], found["c"]
    parts = (_number(a), int(found["b"]), _number(c))
    digits = (4 if parts[0] > 31 and len(a) > 1 and not a[:2].isdigit() else len(a), len(c))
    return _header(found, found["sep"].strip(), parts, digits)


def _number(printed: str) -> int:
    """Return a part of a date as a number; years of an era as those of our calendar."""
    digits = printed.lstrip("令和平成RHrh")
    era = printed[: len(printed) - len(digits)].lower()
    return int(digits) + _ERAS.get(era, 0)


def _named(found: re.Match[str]) -> Header | None:
    tokens = _TOKENS.findall(unmarked(found["date"]).casefold())
    months = [month for token in tokens if (month := _month(token)) is not None]
    years = [int(token) for token in tokens if token.isdigit() and len(token) == 4]
    days = [int(token) for token in tokens if token.isdigit() and len(token) < 3]
    if len(months) != 1 or len(years) != 1 or len(days) != 1:
        return None
    return _header(found, "word", (years[0], months[0], days[0]), (4, 2))


def _month(word: str) -> int | None:
    plain = word.replace(".", "")
    # Hebrew sets its "in" before the month.
    return _words().months.get(plain) or _words().months.get(plain.removeprefix("ב"))


def _header(
    found: re.Match[str], separator: str, parts: tuple[int, int, int], digits: tuple[int, int]
) -> Header | None:
    period = found["pre"] or found["post"]
    half = "" if period is None else _half(period)
    second = _second_of_day(int(found["h"]), int(found["m"]), int(found["s"] or 0), half)
    if second is None:
        return None
    end = found["end"] or ":"
    shape = (end if end in "]:" else "-", separator, found["s"] is not None, period is not None)
    return Header(shape, parts, digits, second, found.end())


def _second_of_day(hour: int, minute: int, second: int, half: str) -> int | None:
    if hour > 23 or minute > 59 or second > 59:
        return None
    if half and hour <= 12:
        if half == "night":
            half = "am" if hour == 12 or hour < 6 else "pm"
        hour = hour % 12 + (12 if half == "pm" else 0)
    return hour * 3600 + minute * 60 + second


class _Words(msgspec.Struct, frozen=True):
    periods: dict[str, str]
    months: dict[str, int]


@cache
def _words() -> _Words:
    return msgspec.json.decode(Path(__file__).with_name("whatsapp_calendar.json").read_bytes(), type=_Words)


@cache
def _periods() -> dict[str, str]:
    older = {" ".join(word.replace(".", "").split()): half for word, half in _OLDER_PERIODS.items()}
    return older | _words().periods


@lru_cache(maxsize=256)
def _half(period: str) -> str:
    plain = _BLANKS.sub("", period.casefold())
    return next((half for word, half in _periods().items() if _BLANKS.sub("", word) == plain), "am")


def unmarked(text: str) -> str:
    """Return `text` without direction marks; joiners stay, emoji and several scripts need them."""
    return text.translate(_UNMARK)
