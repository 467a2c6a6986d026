"""Records of a JSON export as plain values, for formats that are too loosely written for a typed decoder.

Exporters of several years and authors write one key as a number, a string or null. The small functions here take
what a key should hold, and nothing when it holds something else, so that one odd key costs itself alone.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from train.export_files import ExportPath
from train.messages import Drop, Tear
from train.sources.json_records import Broken, Closed, Known, Opened, Records, mend, open_as_utf8, read_records

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""The first moment of the year 1 and the last of 9999 in UTC: no calendar goes further, and no message does."""
_decode = msgspec.json.Decoder().decode


class Found(msgspec.Struct, frozen=True):
    """One record: its keys and values, and its place in the file."""

    values: dict[str, Any]
    place: str


def read_objects(
    path: ExportPath,
    *,
    records: str,
    descend: frozenset[str] = frozenset(),
    know: frozenset[str] = frozenset(),
    progress: Callable[[int], None] | None = None,
    prefix: str = "",
) -> Iterator[Found | Opened | Closed | Known | Drop | Tear]:
    """Yield the records in a JSON file, and the parts of its skeleton that were asked for; see `read_records`.

    What is no object is a Drop, and where the file breaks off stands a Tear. `prefix` begins each place.
    """
    seen = 0
    with path.open("rb") as stream:
        pieces = read_records(open_as_utf8(stream), records=records, descend=descend, know=know, progress=progress)
        for piece in pieces:
            if isinstance(piece, Records):
                for raw, offset in piece:
                    seen += 1
                    place = f"{prefix}record {seen}, byte {offset}"
                    values = object_of(raw)
                    yield Drop("not a readable message", place) if values is None else Found(values, place)
            elif isinstance(piece, Broken):
                place = f"{prefix}record {seen + 1}, byte {piece.offset}"
                if piece.in_record:
                    seen += 1
                    yield Drop("torn", place)
                yield Tear(place, piece.detail)
            else:
                yield piece


def object_of(raw: bytes) -> dict[str, Any] | None:
    """Return the object that is written in `raw`, mended where it has to be; None when there is none."""
    try:
        value = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = mend(raw)
        except ValueError:
            return None
    return value if isinstance(value, dict) else None


def text_in(values: dict[str, Any], *keys: str) -> str:
    """Return the first of these keys that holds a text that is not empty; "" when none does."""
    for key in keys:
        value = values.get(key)
        if isinstance(value, str) and value:
            return value
    return ""


def number_in(values: dict[str, Any], key: str) -> int | None:
    """Return the whole number at a key, also when it is written as a string or a float."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            return None


def objects_in(values: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the objects in the list at a key; none when there is no such list."""
    value = values.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def object_in(values: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the object at a key; an empty one when there is none."""
    value = values.get(key)
    return value if isinstance(value, dict) else {}


def moment_in(values: dict[str, Any], key: str) -> tuple[int, int | None] | None:
    """Return the ISO 8601 time at a key as UTC unix ms and offset in minutes; without an offset it is UTC."""
    value = values.get(key)
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        offset = moment.utcoffset()
        ms = round((moment if offset is not None else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return None
    if not is_date(ms):
        return None
    return ms, None if offset is None else round(offset.total_seconds() / 60)


def is_date(ms: int) -> bool:
    """Return whether unix milliseconds lie in a year that calendars have."""
    return FIRST_MS <= ms <= LAST_MS
