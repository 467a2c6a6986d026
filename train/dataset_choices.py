"""The choices of `greenroom dataset`, for the command line and for what it runs.

A module of its own beside `train.dataset`, which takes half a second to import: `greenroom --help` reads this one.
"""

from enum import StrEnum


class Chats(StrEnum):
    """Which chats a dataset is made of."""

    PERSONAL = "personal"
    GROUP = "group"
    BOTH = "both"


class Media(StrEnum):
    """What becomes of stickers, voice messages and pictures."""

    KEEP = "keep"
    DROP = "drop"


class Format(StrEnum):
    """How a line is written; see `train.dataset.formats`."""

    SHAREGPT = "sharegpt"
    CHATML = "chatml"
    MESSAGES = "messages"


class Rule(StrEnum):
    """What is cleaned out; see `train.dataset.cleaning`."""

    FORWARDS = "forwards"
    BOTS = "bots"
    SERVICE = "service"
    WALLS = "walls"
    CODE = "code"
    ONE_SIDED = "one-sided"
    REPEATED = "repeated"
