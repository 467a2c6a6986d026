"""A persona's mark: its initials on its colour."""

from __future__ import annotations

from textual.content import Content

from tui.contract import Persona
from tui.text import hue, initials

AVATAR_WIDTH = 4


def persona_style(persona: Persona) -> str:
    """Return the style of the persona's colour as a foreground."""
    return f"$persona-{hue(persona.id)}"


def avatar(persona: Persona) -> tuple[Content, Content]:
    """Return the two rows of the avatar, each AVATAR_WIDTH cells; the second is half as high."""
    colour = persona_style(persona)
    letters = Content(initials(persona.name)).truncate(2)
    # Wide letters (CJK, emoji) take two cells each, so the padding is counted in cells.
    space = AVATAR_WIDTH - letters.cell_length
    label = Content(" " * (space // 2) + letters.plain + " " * (space - space // 2))
    return label.stylize(f"bold $avatar-text on {colour}"), Content.styled("▀" * AVATAR_WIDTH, colour)
