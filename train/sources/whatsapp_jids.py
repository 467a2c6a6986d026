"""WhatsApp's addresses, the same in its databases on iPhones and on Android: a JID is `user@server`."""

from typing import Any

from train.messages import ChatKind

PLATFORM = "whatsapp"
OWNER = "me"
"""The account of whoever's phone it was: neither database says which number that has."""

_PEOPLE = ("s.whatsapp.net", "c.us")
_NOBODY = frozenset({"broadcast", "newsletter", "status", "bot"})


def words(value: Any) -> str:
    """Return what a column of words holds, of whatever type it is written; "" for nothing."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def without_device(jid: str) -> str:
    """Return a person's JID without their device: `49170@s.whatsapp.net` for `49170.0:3@s.whatsapp.net`."""
    user, at, server = jid.partition("@")
    return f"{user.partition(':')[0].partition('.')[0]}{at}{server}" if server in (*_PEOPLE, "lid") else jid


def chat_kind(jid: str) -> ChatKind:
    """Return what sort of chat has this JID. Those with a bot are channels: they train nothing."""
    server = jid.rpartition("@")[2]
    if server == "g.us":
        return ChatKind.GROUP
    return ChatKind.CHANNEL if server in _NOBODY else ChatKind.PERSONAL


def phone_of(jid: str) -> str | None:
    """Return the phone number that a person's JID is; None for a group and for ids that hide the number."""
    user, _, server = jid.partition("@")
    user = user.partition(":")[0]
    return f"+{user}" if server in _PEOPLE and user.isascii() and user.isdigit() else None


def account_of(jid: str) -> str:
    """Return the account that a JID is: the phone number where it is one."""
    return phone_of(jid) or jid
