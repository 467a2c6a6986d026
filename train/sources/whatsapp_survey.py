"""The first reading of a WhatsApp text export: where its messages begin, and what only the whole file says.

The file says neither the order of its dates nor where names end, and a chat pasted into a message looks like
messages. All that is found from the whole of it; what was found about each message is kept in 16 bytes.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator

from train.export_files import ExportPath
from train.export_text import text_blocks, text_lines
from train.sources.whatsapp_authors import Authors
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
        self.dates.add(header)


Begun = tuple[int, int | None, int, str]
"""A message as it is printed: the number of its first line, its day (as `date.toordinal` counts; None for no day), its
second of the day, and what follows the time on that line and all others."""


class Survey:
    """What the whole file says."""

    def __init__(self, path: ExportPath, progress: Callable[[int], None] | None = None) -> None:
        """Read the file once. Without any message in it `layout` is None."""
        self.path = path
        self.tears: list[str] = []
        layouts: dict[Shape, Layout] = {}
        layout: Layout | None = None
        before, lines = 0, 1
        for block in text_blocks(path, self.tears, progress):
            for start, line, header, author in headers_in(block):
                if layout is None or header.shape is not layout.shape:
                    layout = layouts.get(header.shape)
                    if layout is None:
                        layout = layouts[header.shape] = Layout(header.shape, lines + line)
                        layout.example = _example(block[start : start + header.end])
                layout.add(before + start, header)
                if author is None or not layout.authors.add_known(author):
                    end = block.find("\n", start)
                    layout.authors.add(block[start + header.end : end if end >= 0 else None].rstrip("\r"))
            before += len(block)
            lines += block.count("\n")
        self.layout = self._chosen(layouts)
        if self.layout is not None:
            self.order = self.layout.dates.order()
            self.layout.authors.decide()

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

    def messages(self, tears: list[str], progress: Callable[[int], None] | None = None) -> Iterator[Begun]:
        """Yield the messages in their order; where the file turns out to be damaged, why is added to `tears`."""
        layout = self.layout
        if layout is None:
            return
        begins, ends, seconds = layout.begins, layout.ends, layout.seconds
        days = layout.dates.days(self.order.order)
        line, day, second = layout.first_line, None, 0
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
            if done:
                parts.append(block[: begins[done] - before])
                rest = _as_read("".join(parts))
                yield line, day, second, rest
                line += rest.count("\n") + 1
            # Up to the newline before the next one.
            starts = [begin - before for begin in begins[done : last + 1]]
            whole = zip(starts, starts[1:], ends[done:last], seconds[done:last], days, strict=False)
            for start, after, end, second, day in whole:
                rest = block[start + end : after - 1]
                if "\r" in rest:
                    rest = _RETURNS.sub("", rest)
                yield line, day, second, rest
                line += rest.count("\n") + 1 if "\n" in rest else 1
            day, second = next(days), seconds[last]
            parts = [block[starts[-1] + ends[last] :]]
            before += len(block)
            done = last + 1
        if done:
            yield line, day, second, _as_read("".join(parts))

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
