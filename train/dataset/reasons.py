"""What the reasons that messages are left out for mean, in words for whoever made the set, and what to change."""

from __future__ import annotations

import msgspec

SHORT_REPLIES = "short replies (--keep-short)"


class Reason(msgspec.Struct, frozen=True):
    """A reason in plain words."""

    title: str
    meaning: str
    change: str = ""
    """Which option changes it; empty where none does."""
    by_choice: bool = False
    """Whether much of it is what was asked for, and nothing to warn of."""


_REASONS = {
    "forwards": Reason("Forwarded", "Somebody else's words, passed on.", "--keep forwards"),
    "bots": Reason("Written by bots", "Accounts that are programs, by their names.", "--keep bots"),
    "service": Reason("Notices and calls", "Lines that the app wrote: who joined, who called.", "--keep service"),
    "walls": Reason("Pasted walls of text", "Far longer than what this person writes.", "--keep walls"),
    "code": Reason("Program text and logs", "Code, logs and error traces of four lines or more.", "--keep code"),
    "repeated": Reason("Automatic repeats", "One long text again and again; the first three stay.", "--keep repeated"),
    "one-sided sessions": Reason(
        "Monologues", "Long sessions in which one person wrote nearly everything.", "--keep one-sided"
    ),
    "deleted": Reason("Deleted", "Their writers took them back."),
    "excluded people": Reason(
        "From excluded people", "People who want no part in this.", "greenroom people include NAME", True
    ),
    "nothing left": Reason(
        "Empty once cleaned", "A picture without words, or a quotation and nothing else.", "--media keep"
    ),
    "saved chats": Reason("Notes to oneself", "Saved messages have nobody to answer.", by_choice=True),
    "channel chats": Reason("Channels", "Broadcasts have nobody to answer.", by_choice=True),
    "personal chats": Reason("Personal chats", "Only groups were asked for.", "--chats both", True),
    "group chats": Reason("Groups", "Only personal chats were asked for.", "--chats both", True),
    "sessions without a persona": Reason(
        "Nobody chosen took part", "Conversations in which none of these personas wrote.", "--all, --persona", True
    ),
    "sessions that answer nothing": Reason(
        "Nothing was answered", "A persona wrote, but only as the first: there is nothing to reply to.", "--gap"
    ),
    "near-duplicates of held-out sessions": Reason(
        "Already held out", "The same conversation is kept for testing, so training must not see it.", "--eval-share"
    ),
    "turns that do not fit": Reason("Too long", "Longer than one line of the set may be.", "--max-tokens"),
    "what follows the last trained turn of a window": Reason(
        "After the last reply", "Nothing that is learnt comes after it, where a long session was cut.", "--max-tokens"
    ),
    "sessions with nothing to train": Reason(
        "No reply to learn", "Every reply in the session was ruled out as a duplicate or a short one.", "--keep-short"
    ),
    "near-duplicates of held-out turns": Reason(
        "Read only: held out elsewhere", "The same text is kept for testing.", "--eval-share"
    ),
    SHORT_REPLIES: Reason("Read only: short replies", "“ok”, “yes” and their like, said very often.", "--keep-short"),
}


def reason(name: str) -> Reason:
    """Return what a reason means; one that is not known here stands for itself."""
    return _REASONS.get(name) or Reason(name[:1].upper() + name[1:], "")
