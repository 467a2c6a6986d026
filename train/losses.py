"""The loss of a stage as it went: of training, and of the held-out set, by epoch."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

import msgspec

from train.axolotl_process import said
from train.runs import Stage, last_checkpoint

_PRINTED = re.compile(r"^\{'(?:eval_)?loss': .*\}$", re.MULTILINE)


class Curve(msgspec.Struct, frozen=True):
    """Loss in nats a token, at epochs.

    Attributes:
        training: (epoch, loss) as logged, each over the steps since the one before.
        evaluation: (epoch, loss) over the held-out set.
        epochs: how far it came.
        steps: optimizer steps.
    """

    training: list[tuple[float, float]]
    evaluation: list[tuple[float, float]]
    epochs: float = 0.0
    steps: int = 0


def curve_of(stage: Stage) -> Curve:
    """The curve of `stage`: from its last checkpoint, which knows the attempts before it too, else from its log."""
    checkpoint = last_checkpoint(stage.out)
    if checkpoint is None:
        rows = [_numbers(printed) for printed in _PRINTED.findall(said(stage, last=50_000_000))]
        return _curve(rows, max((row.get("epoch", 0.0) for row in rows), default=0.0), 0)
    state = json.loads((checkpoint / "trainer_state.json").read_bytes())
    return _curve(state["log_history"], float(state.get("epoch") or 0), int(state.get("global_step") or 0))


def _numbers(printed: str) -> dict[str, float]:
    """A line like `{'loss': '3.831', 'epoch': '0.83'}`, as axolotl prints it."""
    try:
        row = ast.literal_eval(printed)
        return {key: float(value) for key, value in row.items()}
    except (ValueError, SyntaxError):
        return {}


def _curve(rows: list[dict[str, Any]], epochs: float, steps: int) -> Curve:
    def points(key: str) -> list[tuple[float, float]]:
        return [(float(row["epoch"]), float(row[key])) for row in rows if key in row and "epoch" in row]

    return Curve(points("loss"), points("eval_loss"), epochs, steps)
