"""A dataset line, and how a conversation that is too long for a model is cut at the borders of its turns.

Each trained turn is trained in exactly one window. Windows overlap: past the first, the turns before the next
trained one come along as context, as many as fit in a share of the window (in all of it, where one alone is longer).
A share of 1 gives every trained turn all the context that fits, at the cost of a window each: training reads the same
text over and over. With half, every turn has at least half a window before it and the text is read about twice.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate

import msgspec

from persona.template import render_turn

CountTokens = Callable[[Sequence[str]], list[int]]
"""Returns the number of tokens of each text, or numbers that are not less."""

HALF = 0.5


class Utterance(msgspec.Struct, gc=False):
    """One turn of a dataset line; `from` is a speaker, `train` whether the loss falls on it."""

    speaker: str = msgspec.field(name="from")
    value: str
    train: bool


class Conversation(msgspec.Struct, gc=False):
    """One line of the dataset, as axolotl's `chat_template` type reads it."""

    conversations: list[Utterance]


class Cut(msgspec.Struct):
    """The windows of a conversation, and what of it is in them."""

    windows: list[list[Utterance]] = msgspec.field(default_factory=list)
    trained: list[int] = msgspec.field(default_factory=list)
    """The indices of the turns that are trained in one of the windows."""
    used: list[range] = msgspec.field(default_factory=list)
    """For each window the indices of its turns; a shortened one counts."""
    tokens: list[int] = msgspec.field(default_factory=list)
    """For each window the tokens of its turns, each counted for itself."""


def rendered(turn: Utterance) -> str:
    """Return a turn as it stands in a prompt."""
    return render_turn(turn.speaker, turn.value)


def cut_to_fit(
    turns: list[Utterance],
    max_tokens: int,
    count: CountTokens,
    overlap: float = HALF,
    costs: Sequence[int] | None = None,
) -> Cut:
    """Return the windows of `turns`, none longer than `max_tokens` (0: no limit), each with something to train in it.

    `costs` are the tokens of each turn as it is rendered, where they have been counted already. A trained turn that
    does not fit beside one line of what came before it is in no window.
    """
    # Where each turn begins, in tokens from the first one's beginning; and the end.
    starts = [0, *accumulate(count([rendered(turn) for turn in turns]) if costs is None else costs)]
    wanted = [index for index, turn in enumerate(turns) if turn.train and index > 0]
    if not max_tokens or starts[-1] <= max_tokens:
        if not wanted:
            return Cut()
        return Cut([turns], wanted, [range(len(turns))], [starts[-1]])
    cut = Cut()
    place = 0
    while place < len(wanted):
        first = wanted[place]
        context = _context(turns, starts, first, max_tokens, count, overlap)
        if not context:
            place += 1
            continue
        used = sum(count([rendered(turn) for turn in context]))
        # The last turn that still ends within the window.
        last = bisect_right(starts, starts[first] + max_tokens - used) - 2
        inside = wanted[place : bisect_right(wanted, last)]
        # What comes after the last trained turn is answered in the next window, if at all.
        cut.windows.append(context + turns[first : inside[-1] + 1])
        cut.trained += inside
        cut.used.append(range(first - len(context), inside[-1] + 1))
        cut.tokens.append(used + starts[inside[-1] + 1] - starts[first])
        place += len(inside)
    return cut


def _context(
    turns: list[Utterance], starts: list[int], first: int, max_tokens: int, count: CountTokens, overlap: float
) -> list[Utterance]:
    """Return the turns that come before the trained turn `first` in its window, all of them untrained."""
    room = max_tokens - (starts[first + 1] - starts[first])
    if room <= 0:
        return []
    if starts[first] > room:
        share = min(room, int(max_tokens * overlap))
        room = share if starts[first] - starts[first - 1] <= share else room
    start = bisect_left(starts, starts[first] - room)
    if start < first:
        return [Utterance(turn.speaker, turn.value, False) for turn in turns[start:first]]
    return _shortened(turns[first - 1], room, count)


def _shortened(turn: Utterance, room: int, count: CountTokens) -> list[Utterance]:
    """Return the last lines of a turn that fit in `room` tokens as one turn, or nothing when none does."""
    lines = turn.value.split("\n")
    kept: list[Utterance] = []
    for first in range(len(lines) - 1, -1, -1):
        shorter = Utterance(turn.speaker, "\n".join(lines[first:]), False)
        if count([rendered(shorter)])[0] > room:
            break
        kept = [shorter]
    return kept
