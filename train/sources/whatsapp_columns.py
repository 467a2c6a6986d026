"""The messages of a block of a WhatsApp text export as columns: their places, times and authors, all at once.

Nearly every block of an export has messages of one usual layout and nothing else in it, which one regular expression
takes apart. What that says is the same as `whatsapp_headers` says line by line, and for any other block nothing.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, groupby
from operator import add

import msgspec

from train.sources.whatsapp_headers import USUAL_LINE, Shape, begins_message, clock_of, date_of, parse_header, shape_of

Printed = tuple[tuple[int, int, int], tuple[int, int]]
"""The parts of a date, and how many digits the first and the last have: see `Header`."""


class Columns(msgspec.Struct, gc=False):
    """The messages of a block."""

    shape: Shape
    line: int
    """On which line of the block the first one begins, from 0."""
    first: str
    """Its header."""
    begins: list[int]
    """Where in the block each begins."""
    ends: list[int]
    """How long each header is."""
    seconds: list[int]
    dates: list[str]
    authors: list[str | None]
    """The printed name where it is plain to see."""
    rests: list[str]
    """What follows the header, or the name and its colon; with all lines of it."""

    def days(self) -> Iterator[tuple[Printed, int]]:
        """Yield the dates, and how many messages in a row have each."""
        for printed, some in groupby(self.dates):
            yield date_of(printed.lstrip("\u200e[")), sum(1 for _ in some)

    def authors_unlike(self, is_known: Callable[[str, int], bool]) -> Iterator[tuple[str | None, str]]:
        """Yield the name of each author, and what follows the header on its line, unless all there is to do is count.

        `is_known` is told each name with how many messages are theirs, and returns whether that was enough.
        """
        counts = Counter(self.authors)
        unlike = {one for one, count in counts.items() if one is None or not is_known(one, count)}
        if unlike:
            for author, rest in zip(self.authors, self.rests, strict=True):
                if author in unlike:
                    line = rest.partition("\n")[0]
                    yield author, line if author is None else f"{author}: {line}"


def columns_of(block: str) -> Columns | None:
    """Return the messages that begin in a block of whole lines; None where they are not all of one usual layout."""
    text = f"\n{block}"
    found = USUAL_LINE.search(text)
    if found is None:
        return None
    bracket, _, separator, clock, end, _ = found.groups()
    second, shown = clock_of(clock)
    after_date = text[found.end("date") : found.start("clock")]
    if second is None or end not in (" - ", "]", "] ", ": "):
        return None
    before, *cells = _pattern(bracket is not None, separator, after_date, shown, end).split(text)
    dates, clocks, authors, rests = cells[0::4], cells[1::4], cells[2::4], cells[3::4]
    if not dates or (before and _has_header(before, "")) or _has_header_in_any(rests):
        return None
    at: dict[str, int] = {}
    for one in set(clocks):
        if (second := clock_of(one)[0]) is None:
            return None
        at[one] = second
    between = len(after_date) + len(end)
    timed = {one: len(one) + between for one in at}
    ends = [*map(add, map(len, dates), map(timed.__getitem__, clocks))]
    # With the newline before it.
    named = {one: 1 if one is None else 1 + len(one) + 2 for one in set(authors)}
    lengths = map(add, map(add, ends, map(named.__getitem__, authors)), map(len, rests))
    begins = [*accumulate(lengths, initial=len(before))]
    del begins[-1]
    shape = shape_of(bracket, separator, end, shown)
    first = block[begins[0] : begins[0] + ends[0]]
    return Columns(
        shape, before.count("\n"), first, begins, ends, [*map(at.__getitem__, clocks)], dates, authors, rests
    )


@cache
def _pattern(bracket: bool, separator: str, after_date: str, shown: tuple[bool, bool], end: str) -> re.Pattern[str]:
    """Return the pattern of the headers of one layout: date, clock, author."""
    part = re.escape(separator)
    seconds, period = shown
    # Digits of other scripts are read line by line.
    clock = r"[0-9]{1,2}+:[0-9]{2}" + (r":[0-9]{2}" if seconds else "") + (r"[ \u202f][AaPp][Mm]" if period else "")
    date = rf"[0-9]{{1,4}}+{part}[0-9]{{1,2}}+{part}[0-9]{{1,4}}+"
    opening = r"\u200e?\[" if bracket else r"\u200e?"
    closing = re.escape(end) + ("(?! )" if end == "]" else "")
    return re.compile(rf"\n({opening}{date}){after_date}({clock}){closing}(?:([^\n:]++): )?")


def _has_header_in_any(rests: list[str]) -> bool:
    last = len(rests) - 1
    # The last line of the block may have no newline; any other is followed by one.
    return any("\n" in rest and _has_header(rest, "" if number == last else "\n") for number, rest in enumerate(rests))


def _has_header(text: str, newline: str) -> bool:
    """Return whether a message begins on any line but the first of a text that `newline` follows."""
    start = text.find("\n")
    while start >= 0:
        after = text.find("\n", start + 1)
        line = text[start + 1 :] + newline if after < 0 else text[start + 1 : after + 1]
        if begins_message(line) and parse_header(line) is not None:
            return True
        start = after
    return False
