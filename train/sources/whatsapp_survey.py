"""The first reading of a WhatsApp text export: where its messages begin, and what only the whole file says.

The file says neither the order of its dates nor where names end, and a chat pasted into a message looks like
messages. All that is found from the whole of it; what was found about each message is kept in 16 bytes.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from itertools import accumulate, islice
from typing import NamedTuple

from train.export_files import ExportPath
from train.export_text import text_blocks, text_lines
from train.sources.whatsapp_authors import Authors
from train.sources.whatsapp_columns import Columns, columns_of
from train.sources.whatsapp_dates import Dates
from train.sources.whatsapp_headers import Header, Shape, headers_in

_RETURNS = re.compile(r"\r+(?=\n|\Z)")


class Layout:
    """The messages of one layout: see `Header.shape`."""

    def __init__(self, shape: Shape, first_line: int) -> None:
        """Begin without any; the first is on line `first_line`."""
        self.shape = shape
        self.first_line = first_line
        self.dates = Dates()
        self.authors = Authors()
        self.begins = array("Q")
        """The characters of the text before each message."""
        self.ends = array("I")
        self.seconds = array("i")
        self.example = ""

    def add(self, begin: int, header: Header) -> None:
        """Take in a message that begins after `begin` characters."""
        self.begins.append(begin)
        self.ends.append(header.end)
        self.seconds.append(header.second)
        self.dates.add(header.parts, header.digits, header.shape)

    def add_columns(self, before: int, columns: Columns) -> None:
        """Take in the messages of a block that begins after `before` characters."""
        self.begins.extend([before + begin for begin in columns.begins])
        self.ends.extend(columns.ends)
        self.seconds.extend(columns.seconds)
        for (parts, digits), count in columns.days():
            self.dates.add(parts, digits, self.shape, count)
        for author, following in columns.authors_unlike(self.authors.add_known):
            if author is None or not self.authors.add_known(author):
                self.authors.add(following.rstrip("\r"))


class Batch(NamedTuple):
    """Messages in a row as they are printed; a column for each of what is known of them."""

    first_line: int
    """The number of the line on which the first one begins."""
    days: list[int | None]
    """As `date.toordinal` counts; None for no day."""
    seconds: list[int]
    """Of the day."""
    rests: list[str]
    """What follows the time on the first line, and all other lines."""
    text: str
    """What they were taken from, all but the first from this alone."""

    def has(self, part: str) -> bool:
        """Return whether any of the messages may have some text in it."""
        return part in self.text or part in self.rests[0]

    def lines(self) -> list[int]:
        """Return the number of the line on which each begins."""
        return [*accumulate((rest.count("\n") + 1 for rest in self.rests[:-1]), initial=self.first_line)]


class Survey:
    """What the whole file says."""

    def __init__(self, path: ExportPath, progress: Callable[[int], None] | None = None) -> None:
        """Read the file once. Without any message in it `layout` is None."""
        self.path = path
        self.tears: list[str] = []
        self._layouts: dict[Shape, Layout] = {}
        before, lines = 0, 1
        for block in text_blocks(path, self.tears, progress):
            columns = columns_of(block)
            if columns is None:
                self._take(block, before, lines)
            else:
                layout = self._layouts.get(columns.shape)
                if layout is None:
                    layout = self._begin(columns.shape, lines + columns.line, columns.first)
                layout.add_columns(before, columns)
            before += len(block)
            lines += block.count("\n")
        self.layout = self._chosen(self._layouts)
        if self.layout is not None:
            self.order = self.layout.dates.order()
            self.layout.authors.decide()

    def _take(self, block: str, before: int, lines: int) -> None:
        """Take in the messages of a block one by one, whatever their layouts are."""
        layout: Layout | None = None
        for start, line, header, author in headers_in(block):
            if layout is None or header.shape is not layout.shape:
                layout = self._layouts.get(header.shape)
                if layout is None:
                    layout = self._begin(header.shape, lines + line, block[start : start + header.end])
            layout.add(before + start, header)
            if author is None or not layout.authors.add_known(author):
                end = block.find("\n", start)
                layout.authors.add(block[start + header.end : end if end >= 0 else None].rstrip("\r"))

    def _begin(self, shape: Shape, line: int, header: str) -> Layout:
        layout = self._layouts[shape] = Layout(shape, line)
        layout.example = _example(header)
        return layout

    @staticmethod
    def _chosen(layouts: dict[Shape, Layout]) -> Layout | None:
        """Return the layout of the messages: that of the others is a chat that was pasted into one."""
        if not layouts:
            return None
        # An export opens with a message.
        first = next(iter(layouts.values()))
        total = sum(len(one.begins) for one in layouts.values())
        most = max(layouts.values(), key=lambda one: len(one.begins))
        return first if len(first.begins) * 5 >= total else most

    def batches(self, tears: list[str], progress: Callable[[int], None] | None = None) -> Iterator[Batch]:
        """Yield the messages in their order; where the file turns out to be damaged, why is added to `tears`."""
        layout = self.layout
        if layout is None:
            return
        begins, ends, seconds = layout.begins, layout.ends, layout.seconds
        days = layout.dates.days(self.order.order)
        line = layout.first_line
        day: int | None = None
        parts: list[str] = []
        """What there is of the message that goes on in the next block."""
        before = done = 0
        for block in text_blocks(self.path, tears, progress):
            last = bisect_left(begins, before + len(block), done) - 1
            if last < done:
                if done:
                    parts.append(block)
                before += len(block)
                continue
            # Up to the newline before the next one.
            starts = [begin - before for begin in begins[done : last + 1]]
            rests = [
                block[start + end : after - 1]
                for start, after, end in zip(starts, starts[1:], ends[done:last], strict=False)
            ]
            if "\r" in block:
                rests = [_RETURNS.sub("", rest) if "\r" in rest else rest for rest in rests]
            on_days = [*islice(days, len(rests))]
            if done:
                rests.insert(0, _as_read("".join([*parts, block[: starts[0]]])))
                on_days.insert(0, day)
            if rests:
                yield Batch(line, on_days, [*seconds[max(done - 1, 0) : last]], rests, block)
                line += sum(rest.count("\n") for rest in rests) + len(rests)
            day = next(days)
            parts = [block[starts[-1] + ends[last] :]]
            before += len(block)
            done = last + 1
        if done:
            yield Batch(line, [day], [seconds[done - 1]], [_as_read("".join(parts))], "")

    def text_before(self) -> int:
        """Return the number of the last line with text on it before the first message, 0 without one."""
        first, last = self.layout.first_line if self.layout is not None else 0, 0
        for number, text in enumerate(text_lines(self.path), 1):
            if number >= first:
                break
            last = number if text.strip("\ufeff \t\r\n") else last
        return last


def _example(header: str) -> str:
    """Return the date in a header, or what begins it."""
    return header.strip("[]- –\u200e").split(" ")[0].strip(",")


def _as_read(text: str) -> str:
    """Return text without the newline at its end, and without carriage returns at those of its lines."""
    text = text.removesuffix("\n")
    return _RETURNS.sub("", text) if "\r" in text else text
