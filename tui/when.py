"""Times as a messenger writes them, in the local time zone."""

from __future__ import annotations

from datetime import date, datetime

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def local_day(timestamp: float) -> date:
    """Return the local calendar day of a Unix time; a time no calendar has counts as 1970-01-01."""
    try:
        return datetime.fromtimestamp(timestamp).date()
    except (ValueError, OverflowError, OSError):
        return date(1970, 1, 1)


def clock(timestamp: float) -> str:
    """Return the local time of day as HH:MM."""
    try:
        return datetime.fromtimestamp(timestamp).strftime("%H:%M")
    except (ValueError, OverflowError, OSError):
        return "--:--"


def day_label(timestamp: float, now: float) -> str:
    """Return the text of a day separator: Today, Yesterday, else weekday and date."""
    day, today = local_day(timestamp), local_day(now)
    age = (today - day).days
    if age == 0:
        return "Today"
    if age == 1:
        return "Yesterday"
    # strftime's names follow the locale of the process; the rest of the client is English.
    label = f"{_DAYS[day.weekday()]} {day.day} {_MONTHS[day.month - 1]}"
    return label if day.year == today.year else f"{label} {day.year}"


def list_time(timestamp: float, now: float) -> str:
    """Return the time beside a contact: HH:MM today, the weekday this week, else the date."""
    day, today = local_day(timestamp), local_day(now)
    age = (today - day).days
    if age == 0:
        return clock(timestamp)
    if 0 < age < 7:
        return _DAYS[day.weekday()][:3]
    label = f"{day.day} {_MONTHS[day.month - 1][:3]}"
    return label if day.year == today.year else f"{label} {day.year % 100:02d}"
