"""The first reading of a WhatsApp text export: where its messages begin, and what only the whole file says.

The file says neither the order of its dates nor where names end, and a chat pasted into a message looks like
messages. All that is found from the whole of it; what was found about each message is kept in 18 bytes.
"""

from array import array
from collections.abc import Iterator

from train.export_files import ExportPath
from train.export_text import text_lines
from train.sources.whatsapp_authors import Authors
from train.sources.whatsapp_dates import Dates
from train.sources.whatsapp_headers import Header, parse_header

Shape = tuple[str, str, bool, bool]
_NONE = (0, 0, None, 0)


class Layout:
    """The messages of one layout: see `Header.shape`."""

    def __init__(self, shape: Shape) -> None:
        """Begin without any."""
        self.shape = shape
        self.dates = Dates()
        self.authors = Authors()
        self.lines = array("L")
        self.ends = array("H")
        self.seconds = array("l")
        self.example = ""

    def add(self, number: int, line: str, header: Header) -> None:
        """Take in a message that begins on line `number`."""
        self.lines.append(number)
        self.ends.append(header.end)
        self.seconds.append(header.second)
        self.dates.add(header)
        self.authors.add(line[header.end :])
        self.example = self.example or line[: header.end].strip("[]- –\u200e").split(" ")[0].strip(",")


Begun = tuple[int, int | None, int, str]
"""A message as it is printed: the number of its first line, its day (as `date.toordinal` counts; None for no day), its
second of the day, and what follows the time on that line and all others."""


class Survey:
    """What the whole file says."""

    def __init__(self, path: ExportPath) -> None:
        """Read the file once. Without any message in it `layout` is None."""
        self.path = path
        self.tears: list[str] = []
        layouts: dict[Shape, Layout] = {}
        for number, line in enumerate(text_lines(path, self.tears), 1):
            header = parse_header(line)
            if header is not None:
                layout = layouts.get(header.shape)
                if layout is None:
                    layout = layouts[header.shape] = Layout(header.shape)
                layout.add(number, line.rstrip("\r\n"), header)
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
        total = sum(len(one.lines) for one in layouts.values())
        most = max(layouts.values(), key=lambda one: len(one.lines))
        return first if len(first.lines) * 5 >= total else most

    def messages(self, tears: list[str]) -> Iterator[Begun]:
        """Yield the messages in their order; where the file turns out to be damaged, why is added to `tears`."""
        layout = self.layout
        if layout is None:
            return
        begins = zip(layout.lines, layout.ends, layout.dates.days(self.order.order), layout.seconds, strict=True)
        next_line, end, next_day, next_second = next(begins)
        line, day, second = 0, next_day, next_second
        parts: list[str] = []
        for number, text in enumerate(text_lines(self.path, tears), 1):
            if number != next_line:
                parts.append(text)
                continue
            if line:
                yield line, day, second, _joined(parts)
            line, day, second = number, next_day, next_second
            parts = [text[end:]]
            next_line, end, next_day, next_second = next(begins, _NONE)
        if line:
            yield line, day, second, _joined(parts)

    def text_before(self) -> int:
        """Return the number of the last line with text on it before the first message, 0 without one."""
        line, last = self.layout.lines[0] if self.layout is not None else 0, 0
        for number, text in enumerate(text_lines(self.path), 1):
            if number >= line:
                break
            last = number if text.strip("\ufeff \t\r\n") else last
        return last


def _joined(parts: list[str]) -> str:
    if len(parts) == 1:
        return parts[0].rstrip("\r\n")
    return "\n".join(part.rstrip("\r\n") for part in parts)
