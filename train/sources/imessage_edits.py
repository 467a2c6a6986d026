"""What was edited or unsent in an iMessage: `message_summary_info`, a property list.

`otr` has the parts of the message by number, `ec` the versions of those that were edited, the newest last, and `rp`
the numbers of those that were unsent.
"""

import plistlib
from typing import Any

from train.sources.imessage_typedstream import decode_body


def edits_of(raw: Any) -> dict[str, Any]:
    """Return the property list, empty where there is none or it is damaged."""
    try:
        found = plistlib.loads(raw) if isinstance(raw, bytes) else None
    except Exception:  # plistlib raises a dozen kinds of errors on damaged input, and lists none
        return {}
    return found if isinstance(found, dict) else {}


def all_unsent(edits: dict[str, Any]) -> bool:
    """Return whether every part of the message was unsent."""
    unsent = _unsent(edits)
    parts = {str(part) for key in ("otr", "ec") for part in _dictionary(edits, key)}
    return bool(unsent) and parts <= unsent


def newest_text(edits: dict[str, Any]) -> str:
    """Return the newest text of each part that was edited and not unsent: of a message whose own body is gone."""
    unsent, versions = _unsent(edits), _dictionary(edits, "ec")
    left = sorted((part for part in map(str, versions) if part not in unsent), key=lambda part: (len(part), part))
    return "".join(_text_of(versions[part]) for part in left)


def _unsent(edits: dict[str, Any]) -> set[str]:
    numbers = edits.get("rp")
    return {str(one) for one in numbers} if isinstance(numbers, list) else set()


def _dictionary(edits: dict[str, Any], key: str) -> dict[str, Any]:
    found = edits.get(key)
    return found if isinstance(found, dict) else {}


def _text_of(versions: Any) -> str:
    newest = versions[-1] if isinstance(versions, list) and versions else None
    raw = newest.get("t") if isinstance(newest, dict) else None
    try:
        return decode_body(raw).text if isinstance(raw, bytes) else ""
    except ValueError:
        return ""
