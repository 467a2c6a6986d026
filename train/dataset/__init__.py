"""From the message store to training and evaluation sets that axolotl takes as they are.

    store ──rows──▶ what was said ──sessions──▶ spool ──one set each──▶ train.jsonl, eval.jsonl, card, report
            (cleaned)             (cut, split by time)   (redacted, windows, one of three formats)

`build.write_dataset` runs the whole way. Two passes: the first reads every chat once and keeps its sessions in an
unnamed file, the second writes each set from that, so that memory does not grow with the history.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from train.dataset.build import FOLDER, write_dataset
    from train.dataset.options import Options
    from train.dataset.tokens import ESTIMATE, TokenCounter, estimated_tokens, find_counter
    from train.dataset.writing import Written

__all__ = [
    "ESTIMATE",
    "FOLDER",
    "Options",
    "TokenCounter",
    "Written",
    "estimated_tokens",
    "find_counter",
    "write_dataset",
]

_HOMES = {"FOLDER": "build", "write_dataset": "build", "Options": "options", "Written": "writing"}


def __getattr__(name: str) -> object:
    """Import what is asked for: `build` needs all of redaction, and most commands only the name of a file."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'tokens')}"), name)
