"""A dataset line, and how a conversation that is too long for a model is cut at the borders of its turns.

Each trained turn is trained in exactly one window. Windows overlap: past the first, the turns before the next
trained one come along as context, as many as fit in half a window (in all of it, where one alone is longer).
A window each would give every turn the whole of it, at the cost of training on the same text over and over.
"""

from collections.abc import Callable

import msgspec

from persona.template import render

CountTokens = Callable[[str], int]
"""Returns the number of tokens of a text, or a number that is not less."""


class Utterance(msgspec.Struct):
    """One turn of a dataset line; `from` is a speaker, `train` whether the loss falls on it."""

    speaker: str = msgspec.field(name="from")
    value: str
    train: bool


class Conversation(msgspec.Struct):
    """One line of the dataset, as axolotl's `chat_template` type reads it."""

    conversations: list[Utterance]


class Cut(msgspec.Struct):
    """The windows of a conversation, and the indices of the turns that are trained in one of them."""

    windows: list[list[Utterance]] = msgspec.field(default_factory=list)
    trained: list[int] = msgspec.field(default_factory=list)


def cut_to_fit(turns: list[Utterance], max_tokens: int, count: CountTokens) -> Cut:
    """Return the windows of `turns`, none longer than `max_tokens`, each with something to train in it.

    A trained turn that does not fit beside one line of what came before it is in no window.
    """
    costs = [_cost(turn, count) for turn in turns]
    wanted = [index for index, turn in enumerate(turns) if turn.train and index > 0]
    if sum(costs) <= max_tokens:
        return Cut([turns] if wanted else [], wanted)
    cut = Cut()
    while wanted:
        first = wanted[0]
        context = _context(turns, costs, first, max_tokens, count)
        if not context:
            wanted = wanted[1:]
            continue
        last = _last(costs, first, max_tokens - sum(_cost(turn, count) for turn in context))
        inside = [index for index in wanted if index <= last]
        # What comes after the last trained turn is answered in the next window, if at all.
        cut.windows.append(context + turns[first : inside[-1] + 1])
        cut.trained += inside
        wanted = wanted[len(inside) :]
    return cut


def _context(
    turns: list[Utterance], costs: list[int], first: int, max_tokens: int, count: CountTokens
) -> list[Utterance]:
    """Return the turns that come before the trained turn `first` in its window, all of them untrained."""
    room = max_tokens - costs[first]
    if sum(costs[:first]) > room:
        half = min(room, max_tokens // 2)
        room = half if costs[first - 1] <= half else room
    start = first
    while start > 0 and costs[start - 1] <= room:
        start -= 1
        room -= costs[start]
    if start < first:
        return [Utterance(turn.speaker, turn.value, False) for turn in turns[start:first]]
    return _shortened(turns[first - 1], room, count)


def _shortened(turn: Utterance, room: int, count: CountTokens) -> list[Utterance]:
    """Return the last lines of a turn that fit in `room` tokens as one turn, or nothing when none does."""
    lines = turn.value.split("\n")
    kept: list[Utterance] = []
    for first in range(len(lines) - 1, -1, -1):
        shorter = Utterance(turn.speaker, "\n".join(lines[first:]), False)
        if _cost(shorter, count) > room:
            break
        kept = [shorter]
    return kept


def _last(costs: list[int], first: int, room: int) -> int:
    """Return the index of the last turn from `first` on that fits in `room` with those between."""
    last = first
    room -= costs[first]
    while last + 1 < len(costs) and costs[last + 1] <= room:
        last += 1
        room -= costs[last]
    return last


def _cost(turn: Utterance, count: CountTokens) -> int:
    return count(render([{"role": turn.speaker, "content": turn.value}]))
