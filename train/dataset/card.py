"""The card of a set: what it was made from and with, so that it can be made again to the byte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from persona.template import template_source
from train.dataset.options import CARD_NAME, Options
from train.dataset.tally import Tally
from train.dataset.tokens import TokenCounter
from train.private_files import write_private

CARD_FORMAT = 2


def write_card(
    folder: Path,
    options: Options,
    tally: Tally,
    sums: dict[str, str],
    *,
    store_sha256: str,
    counter: TokenCounter,
    names: dict[int, str],
    redaction_key: str | None = None,
) -> None:
    """Write `card.json` to `folder`.

    Two cards that agree in `options`, `tokens_counted_with` and `made_from` are of sets with the same bytes. `sums` are
    the SHA-256 of the set's files, `store_sha256` that of the messages it was made from, and `redaction_key` tells one
    key from another without giving it away.
    """
    card: dict[str, Any] = {
        "format": CARD_FORMAT,
        "options": msgspec.to_builtins(options),
        "tokens_counted_with": counter.name,
        "made_from": {
            "messages_sha256": store_sha256,
            "speakers_sha256": _sha256("\n".join(names[one] for one in sorted(names))),
            "template_sha256": _sha256(template_source()),
            "redaction_key": redaction_key,
        },
        "speakers": sorted(tally.personas),
        "lines": {"train": tally.lines["train"], "eval": tally.lines["eval"]},
        "tokens": {"train": tally.tokens["train"], "eval": tally.tokens["eval"]},
        # What serving says in the context turn, where one was trained.
        "platforms": {one.speaker: one.platform for one in tally.personas.values()},
        "trained_tokens": {one.speaker: one.tokens for one in tally.personas.values()},
        "messages": {
            "train": {one.speaker: one.trained for one in tally.personas.values()},
            "eval": {one.speaker: one.evaluated for one in tally.personas.values()},
        },
        "store": {"kept": tally.kept, "dropped": dict(tally.dropped), "context_only": dict(tally.untrained)},
        "redacted": dict(tally.redacted),
        "sha256": sums,
    }
    text = msgspec.json.format(msgspec.json.encode(card, order="sorted"), indent=2)
    write_private(folder / CARD_NAME, text + b"\n")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
