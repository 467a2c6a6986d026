"""Message bubbles, drawn as rows of text.

A conversation has hundreds of bubbles, and a widget for each would make every layout slow. So a bubble is a
few rows, and only the turn that they make up is a widget (`tui.widgets.turn`).
"""

from __future__ import annotations

from dataclasses import dataclass

from textual.content import Content

WIDEST = 0.8
"""Largest part of the conversation's width that a bubble takes."""


_NOTHING = Content("")


@dataclass(frozen=True)
class Row:
    """One row of the screen, and what of it is the message itself, for copying.

    `text` stands at the character `at` of the row; `before` is what the message has between the row above
    and this one: a line end, or the space at which a long line was wrapped.
    """

    content: Content
    text: str = ""
    at: int = 0
    before: str = "\n"


@dataclass(frozen=True)
class Look:
    """How the bubbles of one side are painted; colours are style strings of the theme's variables."""

    ground: str
    ink: str
    right: bool


MINE = Look("$bubble-mine", "$bubble-mine-text", right=True)
THEIRS = Look("$bubble-theirs", "$bubble-theirs-text", right=False)


def draw_bubble(look: Look, text: str, heading: Content, foot: str, width: int) -> list[Row]:
    """Return the rows of one bubble in a conversation `width` cells wide.

    `heading` (the name) stands above the text and `foot` (the time) after it, each if it is not empty.
    The upper edge is half a row, which keeps bubbles apart at little cost in height.
    """
    limit = max(4, int(width * WIDEST) - 2)
    head = heading.truncate(limit, ellipsis=True)
    lines = _wrapped(text, limit)
    end = Content.styled(foot, "dim")
    end_width = end.cell_length + 2 if foot else 0
    beside = lines[-1][0].cell_length + end_width  # how wide the last line is with the foot on it
    fits = beside <= limit
    inner = max(head.cell_length, *(line.cell_length for line, _ in lines), beside if fits else end_width - 2)
    indent = max(0, width - inner - 2) if look.right else 0

    def row(left: Content, right: Content, text: str = "", before: str = "") -> Row:
        gap = " " * (inner - left.cell_length - right.cell_length)
        painted = Content.assemble(" ", left, gap, right, " ")
        painted = painted.stylize_before(f"{look.ink} on {look.ground}")
        return Row(Content.assemble(" " * indent, painted), text, indent + 1, before)

    rows = [Row(Content.assemble(" " * indent, ("▄" * (inner + 2), look.ground)))]
    if heading:
        rows.append(row(head, _NOTHING))
    for number, (line, before) in enumerate(lines):
        last = number == len(lines) - 1
        rows.append(row(line, end if last and fits else _NOTHING, line.plain, before))
    if foot and not fits:
        rows.append(row(_NOTHING, end))
    return rows


def _wrapped(text: str, limit: int) -> list[tuple[Content, str]]:
    """Return the rows of `text`, each with what stands before it in the text."""
    rows: list[tuple[Content, str]] = []
    for line in text.split("\n"):
        at = 0
        for part in Content(line).wrap(limit) or [Content("")]:
            shown = part.rstrip()
            start = line.index(shown.plain, at)
            rows.append((shown, line[at:start] if at else "\n"))
            at = start + len(shown.plain)
    return rows
