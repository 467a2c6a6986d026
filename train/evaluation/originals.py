"""Looks in replies for what redaction took out: the originals of the key, and the names of people who are hidden.

A model cannot give away what it was never shown, so a find that stands in the training set too is a leak, and one that
does not is chance (a name that many people have) or was known to the base. Both are counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from train.redaction import KnownPerson, RedactionKey, Redactor
from train.redaction.spans import compact

_NAMES = ("name", "surname", "patronymic")
_LEAST_CHARS, _LEAST_LETTERS = 6, 10
"""Shorter numbers and codes come about by chance, and so do shorter values of letters alone."""


class Find(msgspec.Struct, frozen=True):
    """Something that redaction takes out, in a reply.

    Attributes:
        kind: as redaction calls it.
        reply: the number of the reply.
        trained: whether it stands in the training texts too.
    """

    kind: str
    reply: int
    trained: bool


def originals_in(key: RedactionKey, replies: Sequence[str], training: Sequence[str]) -> list[Find]:
    """Return the originals of a key that stand in replies, names aside: compared by letters and digits alone."""
    kinds: dict[str, str] = {}
    for kind in key.kinds():
        for original in key.stand_ins(kind).values() if kind not in _NAMES else ():
            value = compact(original)
            if len(value) >= (_LEAST_LETTERS if value.isalpha() else _LEAST_CHARS):
                kinds[value] = kind
    lengths = sorted({len(value) for value in kinds})
    hits: list[tuple[str, int]] = []
    for number, reply in enumerate(replies):
        plain = compact(reply)
        parts = {plain[at : at + length] for length in lengths for at in range(len(plain) - length + 1)}
        hits += [(value, number) for value in sorted(parts & kinds.keys())]
    there: set[str] = set()
    for text in training if hits else ():
        plain = compact(text)
        there |= {value for value, _ in hits if value in plain}
    return [Find(kinds[value], number, value in there) for value, number in hits]


def names_in(
    key: RedactionKey,
    hidden: Sequence[KnownPerson],
    shown: Sequence[KnownPerson],
    replies: Sequence[str],
    training: Sequence[str],
    *,
    forgotten: Callable[[str], bool] | None = None,
) -> list[Find]:
    """Return the names of hidden and `forgotten` people in replies, in every form that redaction would take out."""
    kinds = frozenset({"name", "username"})
    redactor = Redactor(key, hidden=hidden, shown=shown, forgotten=forgotten, kinds=kinds)
    hits = [(span.value.casefold(), number) for number, reply in enumerate(replies) for span in redactor.spans(reply)]
    there: set[str] = set()
    for text in training if hits else ():
        there |= {span.value.casefold() for span in redactor.spans(text)}
    return [Find("name", number, value in there) for value, number in hits]
