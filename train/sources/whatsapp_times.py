"""Printed local times of a WhatsApp text export as UTC, in the order of the file."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo


class LocalTimes:
    """Turns printed local times into UTC, an hour at a time: asking the zone for each takes most of the time."""

    def __init__(self, zone: ZoneInfo | None) -> None:
        """Take the zone they are in; None is this machine's."""
        self.zone = zone
        self.before_ms = 0
        self.hours: dict[int, tuple[int, int] | None] = {}

    def utc(self, day: int, second: int) -> tuple[int, int]:
        """Return the UTC time in ms and the offset in minutes of a printed local time.

        In the hour that the clock repeats in autumn, the later reading is taken where the earlier one would
        have time fall back.
        """
        hour = day * 24 + second // 3600
        if hour not in self.hours:
            if len(self.hours) > 10_000:
                self.hours.clear()
            self.hours[hour] = self._plain_hour(day, second // 3600)
        plain = self.hours[hour]
        if plain is not None:
            self.before_ms = ms = plain[0] + second % 3600 * 1000
            return ms, plain[1]
        return self._in_a_changing_hour(datetime.fromordinal(day) + timedelta(seconds=second))

    def _plain_hour(self, day: int, hour: int) -> tuple[int, int] | None:
        """Return the time at which an hour begins and its offset; None where the clock changes about then."""
        start = datetime.fromordinal(day) + timedelta(hours=hour)
        before, after = (self._in_zone(start + timedelta(hours=one), 0) for one in (-2, 3))
        offset = before.utcoffset()
        if offset is None or offset != after.utcoffset():
            return None
        return round(before.timestamp() * 1000) + 7_200_000, round(offset.total_seconds() / 60)

    def _in_a_changing_hour(self, local: datetime) -> tuple[int, int]:
        moment = self._in_zone(local, 0)
        ms = round(moment.timestamp() * 1000)
        if ms < self.before_ms:
            later = self._in_zone(local, 1)
            later_ms = round(later.timestamp() * 1000)
            if later_ms >= self.before_ms and later_ms - ms <= 7_200_000:
                moment, ms = later, later_ms
        self.before_ms = ms
        offset = moment.utcoffset()
        return ms, round(offset.total_seconds() / 60) if offset is not None else 0

    def _in_zone(self, local: datetime, fold: int) -> datetime:
        local = local.replace(fold=fold)
        return local.replace(tzinfo=self.zone) if self.zone else local.astimezone()
