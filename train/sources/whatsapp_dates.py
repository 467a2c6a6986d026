"""What the printed dates of a WhatsApp text export mean: the order of their parts, and the calendar.

The order of day, month and year is that of the phone's settings and is nowhere written down, so it is found from all
dates of the file together.
"""

from array import array
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from itertools import repeat

import msgspec

from train.sources.whatsapp_headers import Shape

ORDERS = ("dmy", "mdy", "ymd")
_BUDDHIST, _MINGUO, _JALALI = 543, 1911, 621
"""How far the years of Thailand, Taiwan and Iran lie from ours."""
_JALALI_MONTHS = (0, 31, 62, 93, 124, 155, 186, 216, 246, 276, 306, 336)


class DateOrder(msgspec.Struct, frozen=True):
    """The order of the dates of a file, and whether the dates alone decided it."""

    order: str
    certain: bool


class Dates:
    """Collects the printed dates of a file, to find out what their order is."""

    def __init__(self) -> None:
        """Begin without any."""
        # One entry for all messages of a day in a row.
        self._parts = array("i")
        self._counts = array("l")
        self._last: tuple[int, int, int] | None = None
        self._year_first = False
        self._separator = ""
        self._periods = False

    def add(self, parts: tuple[int, int, int], digits: tuple[int, int], shape: Shape, count: int = 1) -> None:
        """Take in the date of `count` messages in a row, see `Header`; those of one file all have the same shape."""
        if parts == self._last:
            self._counts[-1] += count
            return
        self._last = parts
        self._parts.extend(parts)
        self._counts.append(count)
        self._year_first |= digits[0] > 2
        _, self._separator, _, self._periods = shape

    def order(self) -> DateOrder:
        """Return the order under which most dates exist, time falls least often, and the file spans least.

        Time in a chat goes on: read in the wrong order, days of one month become months of one year, so the
        wrong reading falls back at the end of a month, or stretches days over a year. Where even that says
        nothing, as in a chat of one day, dots and dashes mean the day is first, and a slash with AM and PM
        that the month is.
        """
        if self._year_first:
            return DateOrder("ymd", True)
        costs = {order: self._cost(order) for order in ORDERS}
        best = min(costs.values())
        left = [order for order in ORDERS if costs[order] == best]
        # Which reading exists and does not fall is certain; the shorter span is only likelier.
        certain = sum(cost[:2] == best[:2] for cost in costs.values()) == 1
        if len(left) > 1:
            preferred = "mdy" if self._separator == "/" and self._periods else "dmy"
            return DateOrder(preferred if preferred in left else left[0], False)
        return DateOrder(left[0], certain)

    def days(self, order: str) -> Iterator[int | None]:
        """Yield the day of each message, see `day_of`."""
        for day, count in self._runs(order):
            yield from repeat(day, count)

    def _runs(self, order: str) -> Iterator[tuple[int | None, int]]:
        parts = iter(self._parts)
        for three, count in zip(zip(parts, parts, parts, strict=True), self._counts, strict=True):
            yield day_of(three, order), count

    def _cost(self, order: str) -> tuple[int, int, int]:
        impossible = falls = span = before = 0
        for day, count in self._runs(order):
            if day is None:
                impossible += count
                continue
            if before:
                falls += day < before
                span += abs(day - before)
            before = day
        return impossible, falls, span


@lru_cache(maxsize=65_536)
def day_of(parts: tuple[int, int, int], order: str) -> int | None:
    """Return the day a printed date means in an order, as `date.toordinal` counts; None when there is no such day."""
    value = dict(zip(order, parts, strict=True))
    year, month, day = value["y"], value["m"], value["d"]
    # WhatsApp began in 2009, in every calendar.
    if 1388 <= year <= 1428:
        return _jalali(year, month, day)
    year = _gregorian_year(year)
    if not 2009 <= year <= 2100:
        return None
    try:
        return date(year, month, day).toordinal()
    except ValueError:
        return None


def _gregorian_year(year: int) -> int:
    if 2552 <= year <= 2643:
        return year - _BUDDHIST
    if 98 <= year <= 189:
        return year + _MINGUO
    if 52 <= year < 98:
        # Two digits of a Buddhist year: ours of these numbers are yet to come.
        return year + 2500 - _BUDDHIST
    return year + 2000 if year < 52 else year


def _jalali(year: int, month: int, day: int) -> int | None:
    """Return the day of the Persian calendar, of which every fourth year is long but for one in 33."""
    long_year = year % 33 in (1, 5, 9, 13, 17, 22, 26, 30)
    days = 31 if month < 7 else 30 if month < 12 or long_year else 29
    if not 1 <= month <= 12 or not 1 <= day <= days:
        return None
    # A year begins on 21 March, or on the 20th after a long one that ours has no leap day for yet.
    years = year - 1388
    long_before = sum((1388 + one) % 33 in (1, 5, 9, 13, 17, 22, 26, 30) for one in range(years))
    new_year = date(1388 + _JALALI, 3, 21).toordinal() + years * 365 + long_before
    return new_year + _JALALI_MONTHS[month - 1] + day - 1
