"""The context turn: who talks, where and when, as the system turn that a session or a request begins with.

Training writes it from what the store knows of a session, serving from what a request says and the clock; the words
are the same, so that what a persona learnt to read is what it is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from persona.names import clean_name

MOST_NAMES = 8
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_PLATFORMS = {"imessage": "iMessage", "sms": "SMS", "whatsapp": "WhatsApp"}


def context_turn(participants: Iterable[str], platform: str | None = None, local: datetime | None = None) -> str:
    """The body of the system turn.

    "Alice, John Smith · Telegram · Tuesday 21h", where what is not known is left out. Names come in the order of the
    alphabet, eight at most and then how many more; the time is the hour by the clock on the wall.
    """
    names = sorted({clean_name(name) for name in participants} - {""}, key=lambda name: (name.casefold(), name))
    shown = ", ".join(names[:MOST_NAMES])
    if len(names) > MOST_NAMES:
        shown += f" +{len(names) - MOST_NAMES}"
    parts = [shown]
    if platform:
        parts.append(platform_name(platform))
    if local is not None:
        parts.append(f"{_DAYS[local.weekday()]} {local.hour}h")
    return " · ".join(part for part in parts if part)


def platform_name(platform: str) -> str:
    """Return a platform as people write it: "whatsapp" gives "WhatsApp", "telegram" gives "Telegram"."""
    return _PLATFORMS.get(platform, clean_name(platform).capitalize())
