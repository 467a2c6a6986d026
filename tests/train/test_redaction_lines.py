"""How much redaction finds in lines that were written by hand, with answers to the message before."""

import re

import pytest

from tests.train import redaction_lines as lines
from tests.train.redaction_set import Labelled, score
from train.redaction import RedactionKey, Redactor, Span

SETS = {
    "family-and-work": (lines.FAMILY_AND_WORK, lines.FAMILY_AND_WORK_NOTHING),
    "held-out": (lines.HELD_OUT, lines.HELD_OUT_NOTHING),
}
_MARK = re.compile(r"\{(\w+)\|(.*?)\}")


def read(line: str) -> tuple[str, Labelled]:
    """Return the message before, and a message with what is marked in it."""
    before, arrow, marked = line.rpartition(" ⇢ ")
    text, truth, at = "", [], 0
    marked = marked.replace("⏎", "\n")
    for mark in _MARK.finditer(marked):
        text += marked[at : mark.start()]
        truth.append(Span(len(text), len(text) + len(mark[2]), mark[1], mark[2]))
        text += mark[2]
        at = mark.end()
    return before if arrow else "", Labelled(text + marked[at:], truth)


@pytest.mark.parametrize("name", SETS)
def test_identifiers_in_lines_are_found(name: str) -> None:
    marked, nothing = SETS[name]
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)
    messages = [read(line) for line in marked.strip().splitlines()]
    before = {message.text: said for said, message in messages}
    found = score(
        [*(message for _, message in messages), *(Labelled(line, []) for line in nothing.strip().splitlines())],
        lambda text: redactor.spans(text, before.get(text, "")),
    )
    assert found.recall(*found.there) >= 0.95, found.missed
    # A link counts by its secret part alone, and what else of it goes is no mistake.
    wrong = [one for one in found.wrong if not one.startswith("link ")]
    assert 1 - len(wrong) / found.found >= 0.95, wrong
    for said, message in messages:
        redacted = redactor.redact(message.text, said)
        assert redacted.strip()
        assert redacted.count("\n") == message.text.count("\n")


def test_an_answer_is_found_by_what_was_asked_before() -> None:
    redactor = Redactor(RedactionKey(None, b"0" * 32), hidden=[], shown=[], forgotten=None)
    assert [span.value for span in redactor.spans("its 7391", before="pin for the tablet?")] == ["7391"]
    assert redactor.spans("its 7391", before="how many steps today?") == []
