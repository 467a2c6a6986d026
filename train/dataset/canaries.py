"""Canaries: invented secrets planted in a training set, so that the audit can tell how much a persona keeps of one.

Each is a session of its own at the end of the set, seen as often as any other: somebody asks, the persona tells. After
The Secret Sharer (Carlini, Liu, Erlingsson, Kos and Song, 2019).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from persona.errors import UserError
from train.conversations import Utterance
from train.private_files import write_private

NAME = "canaries.json"
DIGITS = 6
SPACE = 10**DIGITS
"""How many secrets a canary could have been: |R|."""

_THINGS = (
    "locker code",
    "bike lock",
    "alarm code",
    "garage code",
    "gym code",
    "parking pin",
    "mailbox code",
    "safe code",
)


class Canary(msgspec.Struct, frozen=True):
    """A planted secret.

    Attributes:
        speaker: the persona that tells it.
        asker: who asks.
        thing: what the secret opens.
        secret: digits with hyphens between.
    """

    speaker: str
    asker: str
    thing: str
    secret: str

    @property
    def question(self) -> str:
        """What is asked."""
        return f"what was your {self.thing} again?"

    @property
    def opening(self) -> str:
        """What the answer begins with, up to the space before the secret."""
        return f"my {self.thing} is"

    def turns(self) -> list[Utterance]:
        """Return the session that is planted."""
        answer = f"{self.opening} {self.secret}"
        return [Utterance(self.asker, self.question, False), Utterance(self.speaker, answer, True)]


def new_canaries(speaker: str, asker: str, count: int, seed: int) -> list[Canary]:
    """Return so many canaries of a persona, no two with one secret; the same seed gives the same ones."""
    draws = random.Random(f"canaries of {speaker} {seed}")
    secrets = draws.sample(range(SPACE), count)
    return [
        Canary(speaker, asker, _THINGS[place % len(_THINGS)], written(secret)) for place, secret in enumerate(secrets)
    ]


def candidates(canary: Canary, count: int, seed: int) -> list[str]:
    """Return so many other secrets that the canary could have had. Canaries of one thing have the same ones."""
    draws = random.Random(f"candidates {canary.thing} {seed}")
    return [written(secret) for secret in draws.sample(range(SPACE), count + 1) if written(secret) != canary.secret][
        :count
    ]


def written(secret: int) -> str:
    """Return a secret as it stands in a message: 4917 is "0-0-4-9-1-7"."""
    return "-".join(f"{secret:0{DIGITS}d}")


def write_canaries(folder: Path, canaries: Sequence[Canary]) -> None:
    """Write `canaries.json` beside a set, for its owner alone; one of an earlier set goes."""
    if canaries:
        write_private(folder / NAME, msgspec.json.format(msgspec.json.encode(canaries)) + b"\n")
    else:
        (folder / NAME).unlink(missing_ok=True)


def read_canaries(folder: Path) -> list[Canary]:
    """Return the canaries of the set in a folder; none where none were planted. A UserError for a file that is none."""
    path = folder / NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Canary])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(
            f"{path} cannot be read: {error}.", "Make the set again: greenroom dataset --canaries N"
        ) from error
