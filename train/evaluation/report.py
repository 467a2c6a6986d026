"""The page of an evaluation, in the manner of the dataset's: one file, no script, numbers beside every bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from train.evaluation.likelihood import BASE, Table, best_adapter
from train.evaluation.results import Results
from train.pages import page_template
from train.private_files import write_private

NAME = "report.html"
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def write_report(folder: Path, results: Results) -> Path:
    """Write `report.html` to a folder, whole or not at all, for its owner alone, and return its path."""
    page = page_template(TEMPLATE).render(_content(results))
    write_private(folder / NAME, page.encode("utf-8", "replace"))
    return folder / NAME


def _content(results: Results) -> dict[str, Any]:
    table = results.likelihood
    return {
        "results": results,
        "models": [] if table is None else [BASE, *(model for model in table if model != BASE)],
        "foreseen": [] if table is None else _foreseen(table),
        "best": {} if table is None else {speaker: best_adapter(table, speaker) for speaker in table[BASE]},
        "base": BASE,
    }


def _foreseen(table: Table) -> list[dict[str, Any]]:
    """A row for each person: what the base and their own adapter make of their text."""
    rows = []
    for speaker, base in table[BASE].items():
        own = table.get(speaker, {}).get(speaker)
        rows.append({"speaker": speaker, "base": base, "own": own, "share": own.nats / base.nats if own else None})
    return rows
