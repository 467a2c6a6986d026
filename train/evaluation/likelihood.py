"""How well each model foresees what each person really wrote in the held-out set, and whose adapter foresees whom.

The sums are those of `train.score`: over the bodies and closing marks of held-out turns. Nats per token say how well a
model foresees text in its own tokens; bits per byte can be compared between tokenizers. A persona that is more than a
better base foresees its own person's text best of all adapters: the diagonal of the cross table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import msgspec

BASE = "base"


class Foreseen(msgspec.Struct, frozen=True):
    """One person's held-out text under one model.

    Attributes:
        nats: the negative log-likelihood of all of it.
        tokens: of the model's tokenizer, closing marks included.
        bytes: of the bodies in UTF-8.
        turns: how many.
    """

    nats: float
    tokens: int
    bytes: int
    turns: int

    @property
    def nats_a_token(self) -> float:
        """The loss, as training reports it."""
        return self.nats / self.tokens if self.tokens else math.nan

    @property
    def bits_a_byte(self) -> float:
        """Bits of the whole, closing marks included, for each byte of the bodies."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan


Table = dict[str, dict[str, Foreseen]]
"""By model (`base`, then the speakers whose adapters they are) and speaker."""


def table_of(scores: Mapping[str, Mapping[str, Mapping[str, Any]]], names: Mapping[str, str]) -> Table:
    """Return the cross table of what the scorer wrote; `names` gives the speaker whose adapter each model is."""
    return {
        names.get(model, model): {speaker: msgspec.convert(score, Foreseen) for speaker, score in rows.items()}
        for model, rows in scores.items()
    }


def best_adapter(table: Table, speaker: str) -> str:
    """Return whose adapter foresees a speaker's text best; the base is none."""
    models = [model for model in table if model != BASE and speaker in table[model]]
    return min(models, key=lambda model: table[model][speaker].nats, default=BASE)
