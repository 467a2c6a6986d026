"""What a dataset holds, in tokens: how many, how long each session, for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from persona.template import Turn, render
from train.dataset.tokens import TokenCounter


class SetStats(msgspec.Struct, frozen=True):
    """The sizes of a training set and of what is held out from it.

    Attributes:
        lengths: tokens of each session that is trained on.
        held_out: tokens of each session that is held out.
        counted_with: the tokenizer, or that it was estimated.
    """

    lengths: tuple[int, ...]
    held_out: tuple[int, ...] = ()
    counted_with: str = ""

    @property
    def sessions(self) -> int:
        """Sessions that are trained on."""
        return len(self.lengths)

    @property
    def tokens(self) -> int:
        """Tokens of all sessions that are trained on."""
        return sum(self.lengths)

    def longer_than(self, tokens: int) -> int:
        """Sessions of more than `tokens` tokens."""
        return sum(length > tokens for length in self.lengths)


def stats_of(
    train: Sequence[Sequence[dict[str, Any]]], evaluation: Sequence[Sequence[dict[str, Any]]], counter: TokenCounter
) -> SetStats:
    """The stats of two sets of conversations, as `train.training.read_set` reads them."""

    def lengths(conversations: Sequence[Sequence[dict[str, Any]]]) -> tuple[int, ...]:
        rendered = [render([Turn(role=turn["from"], content=turn["value"]) for turn in one]) for one in conversations]
        return tuple(counter.count(rendered))

    return SetStats(lengths(train), lengths(evaluation), counter.name)
