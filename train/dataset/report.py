"""The report of a set: one page that needs nothing else, to be looked at before an evening of training."""

from __future__ import annotations

from pathlib import Path

from train.dataset.options import Options
from train.dataset.tally import Tally
from train.dataset.tokens import TokenCounter

NAME = "report.html"


def write_report(folder: Path, options: Options, tally: Tally, *, counter: TokenCounter) -> None:
    """Write `report.html` to `folder`."""
