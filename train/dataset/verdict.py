"""Whether a set is good enough to train on, and what speaks against it, in words."""

from __future__ import annotations

import msgspec

from train.dataset.options import Options
from train.dataset.reasons import reason
from train.dataset.tally import PersonaTally, Tally
from train.dataset.tokens import ESTIMATE, TokenCounter

ENOUGH_MESSAGES = 1000
"""What `--min-messages` asks for unless told."""
TOO_FEW_MESSAGES = 100
"""Less than this is not somebody's voice yet."""
ENOUGH_HELD_OUT = 30
"""A score over fewer replies is mostly luck."""
MUCH_DROPPED = 0.2
"""The share of the store from which on a reason is worth a look."""
MOST_NAMES = 5


class Verdict(msgspec.Struct, frozen=True):
    """A judgement of a set."""

    good: bool
    text: str
    warnings: list[str]


def verdict_of(options: Options, tally: Tally, counter: TokenCounter) -> Verdict:
    """Return whether a set can be trained on, and what to know first, the gravest first."""
    personas = sorted(tally.personas.values(), key=lambda one: (one.trained, one.speaker))
    warnings = [*_about_messages(personas), *_about_held_out(personas, options), *_about_dropped(tally)]
    if counter.name == ESTIMATE.name:
        warnings.append(
            "Tokens are estimated, three bytes each. With --recipe or --tokenizer they are counted, and lines fill "
            "the model's length better."
        )
    if not tally.lines["train"] or not any(one.trained for one in personas):
        return Verdict(False, "No: there is nothing to train on.", warnings)
    if all(one.trained < TOO_FEW_MESSAGES for one in personas):
        return Verdict(False, "Hardly: there is too little of anybody to learn how they write.", warnings)
    if not warnings:
        return Verdict(True, "Yes. Nothing speaks against it.", [])
    good = all(one.trained >= ENOUGH_MESSAGES and one.evaluated >= ENOUGH_HELD_OUT for one in personas)
    return Verdict(good, "Yes, it can be trained on. Worth knowing first:", warnings)


def _about_messages(personas: list[PersonaTally]) -> list[str]:
    none = [_isolated(one.speaker) for one in personas if not one.trained]
    few = [f"{_isolated(one.speaker)} ({one.trained:,})" for one in personas if 0 < one.trained < ENOUGH_MESSAGES]
    found = []
    if none:
        found.append(f"Nothing to learn from: {_listed(none)}. They never answer, or every answer was left out.")
    if few:
        found.append(
            f"Few messages: {_listed(few)}. From {ENOUGH_MESSAGES:,} on, a persona begins to sound like its person."
        )
    return found


def _about_held_out(personas: list[PersonaTally], options: Options) -> list[str]:
    if not options.eval_share:
        return ["Nothing is held out (--eval-share 0), so nobody can tell how well it was learnt."]
    trained = [one for one in personas if one.trained]
    none = [_isolated(one.speaker) for one in trained if not one.evaluated]
    few = [f"{_isolated(one.speaker)} ({one.evaluated:,})" for one in trained if 0 < one.evaluated < ENOUGH_HELD_OUT]
    found = []
    if none:
        found.append(f"Nothing held out for {_listed(none)}, so their adapter cannot be scored. Try --eval-share 0.2.")
    if few:
        found.append(f"Few replies held out: {_listed(few)}. A score over so few says little.")
    return found


def _about_dropped(tally: Tally) -> list[str]:
    total = tally.kept + tally.dropped.total()
    found = []
    for name, count in sorted(tally.dropped.items(), key=lambda item: (-item[1], item[0])):
        words = reason(name)
        if count >= MUCH_DROPPED * total and not words.by_choice:
            change = f" {words.change} changes that." if words.change else ""
            found.append(f"{count / total:.0%} of all messages are left out for one reason: {words.title}.{change}")
    return found


def _listed(names: list[str]) -> str:
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")


def _isolated(name: str) -> str:
    """Return a name between marks that keep its direction of writing to itself."""
    return f"\u2068{name}\u2069"
