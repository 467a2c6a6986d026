"""What the charts of a report show: bars by time and person, and counts by size, as numbers that a template draws.

Nothing here knows HTML. Heights are shares of a chart's own top, so that a page may draw it as large as it likes.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import msgspec

MOST_PEOPLE = 8
MOST_MONTHS = 48
"""More are shown by quarter, and more quarters than that by year."""
MOST_BARS = 60
TOKEN_BINS, SIZE_BINS = 16, 16
OTHERS = "everybody else"
NO_MONTH = "0000-00"

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Part(msgspec.Struct, frozen=True):
    """One person's piece of a bar; `bottom` and `height` are shares of the chart's top."""

    series: int
    count: int
    bottom: float
    height: float


class Bar(msgspec.Struct, frozen=True):
    """One bar of a chart."""

    label: str
    total: int
    parts: list[Part]

    def counts(self, series: int) -> list[int]:
        """Return the count of each of so many series, for a table."""
        found = {part.series: part.count for part in self.parts}
        return [found.get(one, 0) for one in range(series)]


class Chart(msgspec.Struct, frozen=True):
    """Bars side by side, under a round number that is the top."""

    bars: list[Bar]
    series: list[str]
    """Who each part is: the most talkative first, at most eight, then everybody else."""
    totals: list[int]
    """The sum of each series."""
    top: int
    unit: str
    """What a bar stands for: "month", "quarter", "year"; "messages", "tokens"."""
    elsewhere: int = 0
    """What no bar shows."""
    limit: float | None = None
    """Where a limit lies between the chart's left edge, 0, and its right, 1."""


def by_time(months: Counter[tuple[str, str]]) -> Chart:
    """Return messages by time and person from counts by month ("2024-05") and speaker.

    By month, by quarter or by year, as few as are needed for `MOST_BARS`; what no calendar reaches is in no bar.
    """
    known = {key: count for key, count in months.items() if key[0] != NO_MONTH and count}
    lost = months.total() - sum(known.values())
    people = Counter[str]()
    for (_, speaker), count in known.items():
        people[speaker] += count
    order = sorted(people, key=lambda speaker: (-people[speaker], speaker))
    series = order if len(order) <= MOST_PEOPLE + 1 else [*order[:MOST_PEOPLE], OTHERS]
    place = {speaker: min(number, len(series) - 1) for number, speaker in enumerate(order)}
    numbers = [_number(month) for month, _ in known]
    unit, length = _unit(min(numbers), max(numbers)) if numbers else ("month", 1)
    counts: dict[int, list[int]] = {}
    if numbers:
        first, last = min(numbers) // length, max(numbers) // length
        if last - first < MOST_BARS:
            counts = {period: [0] * len(series) for period in range(first, last + 1)}
    for (month, speaker), count in known.items():
        counts.setdefault(_number(month) // length, [0] * len(series))[place[speaker]] += count
    if len(counts) > MOST_BARS:
        # Clocks that were wrong: the fullest years are the true ones.
        kept = sorted(counts, key=lambda period: (-sum(counts[period]), period))[:MOST_BARS]
        lost += sum(sum(row) for period, row in counts.items() if period not in set(kept))
        counts = {period: counts[period] for period in kept}
    rows = [(_label(period, unit), counts[period]) for period in sorted(counts)]
    totals = [sum(row[1][number] for row in rows) for number in range(len(series))]
    return _chart(rows, series, totals, unit, lost)


def by_size(sizes: Counter[int]) -> Chart:
    """Return how often each number of messages comes: in even steps up to 100, else in steps that double."""
    longest = max(sizes, default=0)
    rows: list[tuple[str, list[int]]] = []
    if longest <= 100:
        step = max(-(-longest // SIZE_BINS), 1)
        edges = [number * step for number in range(-(-longest // step) + 1)]
    else:
        edges = [0, *(2**step for step in range((longest - 1).bit_length() + 1))]
    for low, high in pairwise(edges):
        count = sum(count for size, count in sizes.items() if low < size <= high)
        rows.append((f"{high:,}" if high - low == 1 else f"{low + 1:,}–{high:,}", [count]))
    return _chart(rows, ["messages"], [sizes.total()], "messages", 0)


def by_length(lengths: Counter[int], limit: int) -> Chart:
    """Return how many lines have how many tokens, in even steps, and where `limit` (0: none) lies."""
    longest = max(max(lengths, default=0), limit, TOKEN_BINS)
    step = math.ceil(limit / TOKEN_BINS) if limit and longest <= 2 * limit else _round(longest / TOKEN_BINS)
    bins = max(-(-longest // step), 1)
    counts = [0] * bins
    for length, count in lengths.items():
        counts[max(-(-length // step) - 1, 0)] += count
    rows = [(f"{number * step + 1:,}–{(number + 1) * step:,}", [count]) for number, count in enumerate(counts)]
    at = limit / (bins * step) if limit else None
    return _chart(rows, ["tokens"], [lengths.total()], "tokens", 0, at)


def _chart(
    rows: Sequence[tuple[str, list[int]]],
    series: list[str],
    totals: list[int],
    unit: str,
    elsewhere: int,
    limit: float | None = None,
) -> Chart:
    top = _round(max((sum(row) for _, row in rows), default=0))
    bars = []
    for label, row in rows:
        parts, bottom = [], 0
        for number, count in enumerate(row):
            if count:
                parts.append(Part(number, count, bottom / top, count / top))
                bottom += count
        bars.append(Bar(label, sum(row), parts))
    return Chart(bars, series, totals, top, unit, elsewhere, limit)


def _round(value: float) -> int:
    """Return the next number of 1, 2, 4, 5, 6, 8 and as many zeros as it takes; at least 2."""
    if value <= 2:
        return 2
    tens = int(10 ** (len(str(math.ceil(value))) - 1))
    return next(step * tens for step in (1, 2, 4, 5, 6, 8, 10) if step * tens >= value)


def _number(month: str) -> int:
    year, _, of_year = month.partition("-")
    return int(year) * 12 + int(of_year) - 1


def _unit(first: int, last: int) -> tuple[str, int]:
    """Return what a bar stands for, and how many months that is."""
    if last - first < MOST_MONTHS:
        return "month", 1
    return ("quarter", 3) if last // 3 - first // 3 < MOST_MONTHS else ("year", 12)


def _label(period: int, unit: str) -> str:
    if unit == "year":
        return str(period)
    if unit == "quarter":
        return f"Q{period % 4 + 1} {period // 4}"
    return f"{_MONTHS[period % 12]} {period // 12}"
