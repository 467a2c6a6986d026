"""What the client can be told, and where it looks when it is not told."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tui.contract import DEFAULT_URL
from tui.errors import ClientError
from tui.text import clean_name


@dataclass(frozen=True)
class Settings:
    """Where to talk to, as whom, and where the history lies."""

    url: str
    """Base address of the endpoint, ending before `/models`, without a slash at the end."""
    api_key: str | None
    """Bearer key, or None."""
    as_name: str
    """Name of the person at the keyboard; empty means the persona's own interlocutor."""
    history: Path
    """The SQLite file of the chat history."""


def read_settings(url: str | None = None, as_name: str | None = None) -> Settings:
    """Return the settings: what is passed wins over GREENROOM_URL, _API_KEY and _HISTORY.

    Raises ClientError for an address that is not http or https.
    """
    address = (url or os.environ.get("GREENROOM_URL") or DEFAULT_URL).strip()
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed bracket
        usable = False
    if not usable:
        raise ClientError(
            f"“{clean_name(address, 120)}” is not an address of an endpoint",
            hint=f"give one like {DEFAULT_URL} with --url or GREENROOM_URL",
        )
    key = os.environ.get("GREENROOM_API_KEY", "").strip()
    if key and not (key.isascii() and key.isprintable()):
        raise ClientError("GREENROOM_API_KEY has characters that no key can have", hint="set it again, as plain text")
    return Settings(address.rstrip("/"), key or None, clean_name(as_name or ""), history_path())


def history_path() -> Path:
    """Return GREENROOM_HISTORY, or history.db where this platform keeps a user's data."""
    told = os.environ.get("GREENROOM_HISTORY")
    if told:
        return Path(told).expanduser()
    from platformdirs import user_data_path  # loaded late: the inline command never needs it

    return user_data_path("greenroom", appauthor=False) / "history.db"
