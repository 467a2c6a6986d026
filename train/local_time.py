"""Printed local times, which name no zone, as UTC."""

from datetime import datetime
from zoneinfo import ZoneInfo

from train.messages import Reading


def zone_of(reading: Reading) -> ZoneInfo | None:
    """Return the zone that local times of an export are in; None is this machine's."""
    return ZoneInfo(reading.timezone) if reading.timezone else None


def utc_ms(local: datetime, zone: ZoneInfo | None) -> tuple[int, int | None]:
    """Return a time as UTC unix milliseconds and its offset from UTC in minutes.

    A time with an offset of its own keeps it; one without is taken in `zone`, None being this machine's. Raises
    ValueError for a time that no calendar of the zone reaches.
    """
    try:
        if local.tzinfo is not None:
            moment = local
        elif zone is not None:
            moment = local.replace(tzinfo=zone)
        else:
            moment = local.astimezone()
        offset = moment.utcoffset()
        # Rounded to the ms: a float of seconds in 2024 still has microseconds.
        return round(moment.timestamp() * 1000), None if offset is None else round(offset.total_seconds() / 60)
    except (OverflowError, OSError) as error:
        raise ValueError(f"{local} is out of reach") from error
