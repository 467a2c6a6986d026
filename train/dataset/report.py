"""The report of a set: one page that needs nothing else, to be looked at before an evening of training.

It holds what `Tally` has counted and no script; its style and charts are in the page, and a Content-Security-Policy
keeps a browser from loading anything. The same tally gives the same bytes, less than a megabyte whatever the history.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from persona.context import platform_name
from train.conversations import Utterance
from train.dataset.charts import Chart, by_length, by_size, by_time
from train.dataset.formats import SYSTEM
from train.dataset.options import Options
from train.dataset.phrases import Phrases, phrases_of
from train.dataset.reasons import reason
from train.dataset.tally import Example, PersonaTally, Tally
from train.dataset.tokens import ESTIMATE, TokenCounter
from train.dataset.verdict import verdict_of
from train.pages import page_template
from train.private_files import write_private

NAME = "report.html"
TEMPLATE = Path(__file__).with_name("report.html.jinja")

MOST_PERSONAS = 200
"""Personas that have a row and phrases of their own; the page would grow without end."""
PHRASES, MANY_PERSONAS, FEWER_PHRASES = 16, 30, 5
HEAD_LINES = 12
"""A session shows its first turns, until they have so many lines; the others are folded away."""
MOST_TURN_CHARS = 2000
MOST_SESSION_BYTES = 40_000

_TURN_BYTES, _LINE_BYTES = 140, 40
"""What the markup of a turn and of a line takes, at most."""


class Said(msgspec.Struct, frozen=True):
    """A turn as it is shown."""

    speaker: str
    messages: list[str]
    trained: bool
    system: bool
    cut: int
    """Characters that are not shown."""


class Counted(msgspec.Struct, frozen=True):
    """A row of what was kept or left out."""

    title: str
    count: int
    percent: float
    meaning: str
    change: str

    @property
    def share(self) -> str:
        """The share of the whole, in words."""
        return "under 1 %" if 0 < self.percent < 1 else f"{self.percent:.0f} %"


def write_report(folder: Path, options: Options, tally: Tally, *, counter: TokenCounter) -> None:
    """Write `report.html` to `folder`, whole or not at all, for its owner alone.

    Raises UserError when the file cannot be written.
    """
    page = page_template(TEMPLATE).render(_content(options, tally, counter))
    write_private(folder / NAME, page.encode("utf-8", "replace"))


def _content(options: Options, tally: Tally, counter: TokenCounter) -> dict[str, Any]:
    """Return everything that the template shows."""
    personas = sorted(tally.personas.values(), key=lambda one: (-one.trained, one.speaker))
    shown = personas[:MOST_PERSONAS]
    verdict = verdict_of(options, tally, counter)
    time = by_time(tally.months)
    sessions = by_size(tally.session_messages)
    lines = by_length(tally.line_tokens, options.pack or options.max_tokens)
    dropped, untrained = tally.dropped.total(), tally.untrained.total()
    learnt = sum(one.trained for one in personas)
    held_out = sum(one.evaluated for one in personas)
    kept = {"learnt": learnt, "held out": held_out, "context": max(tally.kept - learnt - held_out, 0)}
    return {
        "options": options,
        "verdict": verdict,
        "warnings": verdict.warnings,
        "facts": _facts(tally, learnt, held_out),
        "personas": shown,
        "more_personas": len(personas) - len(shown),
        "counted_with": "an estimate, 3 bytes a token" if counter.name == ESTIMATE.name else counter.name,
        "time": time,
        "time_labels": _labels(time),
        "sessions": sessions,
        "session_labels": _labels(sessions),
        "session_facts": _spread(tally.session_messages, "messages"),
        "lines": lines,
        "lines_end": lines.bars[-1].label.partition("–")[2],
        "line_facts": _spread(tally.line_tokens, "tokens"),
        "limit": options.pack or options.max_tokens,
        "store_total": tally.kept + dropped,
        "kept": tally.kept,
        **{name.replace(" ", "_"): count for name, count in kept.items()},
        "kept_rows": [_counted(_KEPT[name], count, tally.kept + dropped) for name, count in kept.items() if count],
        "dropped": _rows(tally.dropped, tally.kept + dropped),
        "dropped_total": dropped,
        "untrained": _rows(tally.untrained, untrained),
        "redacted": sorted(tally.redacted.items(), key=lambda item: (-item[1], item[0])),
        "spoken": _spoken(shown, tally),
        "examples": [_example(one) for one in sorted(tally.examples, key=lambda one: (one.start_ms, one.platform))],
        "settings": _settings(options),
    }


_KEPT = {
    "learnt": ("Learnt", "Replies of the personas in train.jsonl.", ""),
    "held out": ("Held out", "Replies of the personas in eval.jsonl, that training never sees.", "--eval-share"),
    "context": (
        "Context",
        "What others wrote, and what opens a session: read, so that replies have something to answer.",
        "",
    ),
}


def _rows(counts: Counter[str], whole: int) -> list[Counted]:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = []
    for name, count in rows:
        words = reason(name)
        found.append(_counted((words.title, words.meaning, words.change), count, whole))
    return found


def _counted(words: tuple[str, str, str], count: int, whole: int) -> Counted:
    title, meaning, change = words
    return Counted(title, count, 100 * count / max(whole, 1), meaning, change)


def _facts(tally: Tally, learnt: int, held_out: int) -> list[tuple[str, str]]:
    on_loss = sum(one.tokens for one in tally.personas.values())
    return [
        ("messages to learn", f"{learnt:,}"),
        ("tokens to learn", f"{on_loss:,}"),
        ("tokens read", f"{tally.tokens['train']:,}"),
        ("training lines", f"{tally.lines['train']:,}"),
        ("held-out lines", f"{tally.lines['eval']:,}"),
        ("held-out messages", f"{held_out:,}"),
    ]


def _settings(options: Options) -> list[tuple[str, str]]:
    limit = options.pack or options.max_tokens
    return [
        ("silence that ends a session", "none: --pack" if options.pack else f"{options.gap_s / 60:g} minutes"),
        ("chats", {"both": "personal and group"}.get(options.chats, options.chats)),
        ("longest line", f"{limit:,} tokens" if limit else "no limit"),
        ("held out", f"{options.eval_share:.0%}"),
        ("format", options.format),
        ("media", {"keep": "kept"}.get(options.media, "left out")),
        ("short replies trained", f"{options.keep_short:.0%}"),
        ("redaction", "on" if options.redact else "off"),
        *([("planted canaries", f"{options.canaries:,} a persona")] if options.canaries else []),
        ("not cleaned", ", ".join(options.keep) or "nothing"),
        ("seed", str(options.seed)),
    ]


def _labels(chart: Chart) -> list[str]:
    """Return the labels of the first bar, the last and one in the middle."""
    labels = [bar.label for bar in chart.bars]
    places = sorted({0, len(labels) // 2, len(labels) - 1}) if labels else []
    return [labels[place] for place in places]


def _spread(sizes: Counter[int], unit: str) -> str:
    """Return the median and the most of counted sizes, in words."""
    if not sizes:
        return f"none with {unit}"
    middle = median_of(sizes)
    return f"half of them have {middle:,} {unit} or fewer, the longest {max(sizes):,}"


def median_of(sizes: Counter[int]) -> int:
    """Return the smallest size that at least half of all that were counted do not exceed."""
    seen, half = 0, sizes.total() / 2
    for size in sorted(sizes):
        seen += sizes[size]
        if seen >= half:
            return size
    return 0


class Spoken(msgspec.Struct, frozen=True):
    """A persona and its phrases."""

    speaker: str
    phrases: Phrases


def _spoken(personas: list[PersonaTally], tally: Tally) -> list[Spoken]:
    most = PHRASES if len(personas) <= MANY_PERSONAS else FEWER_PHRASES
    found = phrases_of({one.speaker: one.texts for one in personas}, tally.others, most)
    return [Spoken(one.speaker, found[one.speaker]) for one in personas]


class Session(msgspec.Struct, frozen=True):
    """A line of the training set as it is shown."""

    when: str
    platform: str
    facts: str
    head: list[Said]
    rest: list[Said]
    unshown: int
    """Turns that would make the page too long."""


def _example(example: Example) -> Session:
    said: list[Said] = []
    head, lines, room = 0, 0, MOST_SESSION_BYTES
    for turn in example.turns:
        one = _said(turn, room)
        room -= _TURN_BYTES + sum(_LINE_BYTES + _written(text) for text in (one.speaker, *one.messages))
        if room < 0 and said:
            break
        said.append(one)
        if lines < HEAD_LINES:
            head += 1
        lines += len(one.messages)
    turns = [turn for turn in example.turns if turn.speaker != SYSTEM]
    trained = sum(turn.train for turn in turns)
    facts = f"{len(turns):,} turns of {len({turn.speaker for turn in turns}):,} people, {trained:,} of them trained"
    when, platform = _when(example), platform_name(example.platform) or "an unknown platform"
    # One or two turns are not worth a fold.
    head = len(said) if len(said) - head <= 2 else head
    return Session(when, platform, facts, said[:head], said[head:], len(example.turns) - len(said))


def _said(turn: Utterance, room: int) -> Said:
    shown = turn.value[:MOST_TURN_CHARS]
    # A turn of nothing but line breaks or of marks that HTML writes with six letters.
    while shown and _written(shown) + _LINE_BYTES * shown.count("\n") > room:
        shown = shown[: len(shown) // 2]
    cut = len(turn.value) - len(shown)
    return Said(turn.speaker, shown.split("\n"), turn.train, turn.speaker == SYSTEM, cut)


def _written(text: str) -> int:
    """Return the bytes that a text takes in the page."""
    return len(escape(text).encode("utf-8", "replace"))


def _when(example: Example) -> str:
    """Return day and time by the clock of whoever began, or in UTC where that is not known."""
    zone = UTC if example.offset_min is None else timezone(timedelta(minutes=example.offset_min))
    try:
        local = datetime.fromtimestamp(example.start_ms / 1000, zone)
    except (ValueError, OverflowError, OSError):
        return "No date"
    return f"{local:%A}, {local.day} {local:%B} {local.year}, {local:%H:%M}" + (" UTC" if zone is UTC else "")
