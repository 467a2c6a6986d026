"""Greenroom's three themes and the colours that personas keep.

A persona's colour is a variable, `$persona-0` to `$persona-11`, so changing the theme repaints everybody
in tones that stay readable on it. Textual's own themes work too, with the defaults of `variables_for`.
"""

from __future__ import annotations

from textual.theme import Theme

from tui.text import HUES

# Twelve hues around the wheel, as light tones for dark grounds and as deep tones for light grounds; each
# has a contrast of at least 4.5:1 with the bubbles it is written on (WCAG 2.1, 1.4.3).
_LIGHT_TONES = (
    "#f28b82",
    "#f4a261",
    "#e9c46a",
    "#b5d36a",
    "#7fd48a",
    "#5ed3b5",
    "#5cc8e0",
    "#7fb2f5",
    "#a79cf5",
    "#cf93ea",
    "#f08fc0",
    "#d8b08c",
)
_DEEP_TONES = (
    "#b3261e",
    "#a34700",
    "#7a5900",
    "#4f6600",
    "#1b6e2c",
    "#006b5a",
    "#00637a",
    "#1a56b0",
    "#5444b8",
    "#7f2fa3",
    "#a31b66",
    "#6f4a2a",
)


def _personas(tones: tuple[str, ...]) -> dict[str, str]:
    return {f"persona-{number}": tone for number, tone in zip(range(HUES), tones, strict=True)}


def variables_for(dark: bool) -> dict[str, str]:
    """Return the variables that our style sheet uses beyond Textual's, for a dark or a light theme."""
    return {
        **_personas(_LIGHT_TONES if dark else _DEEP_TONES),
        "avatar-text": "#10201a" if dark else "#ffffff",
        "bubble-theirs": "#2a2f33" if dark else "#ffffff",
        "bubble-theirs-text": "#e8ecea" if dark else "#1c2420",
        "bubble-mine": "#1f5c46" if dark else "#c9ead8",
        "bubble-mine-text": "#f0fff7" if dark else "#10251b",
    }


GREENROOM = Theme(
    name="greenroom",
    primary="#58c494",
    secondary="#3d8f6c",
    accent="#e9c46a",
    warning="#e9b44c",
    error="#f07167",
    success="#58c494",
    foreground="#dde6e1",
    background="#101613",
    surface="#151d19",
    panel="#1e2923",
    dark=True,
    variables={
        **variables_for(dark=True),
        "bubble-theirs": "#233029",
        "block-cursor-background": "#24352d",
        "block-cursor-foreground": "#dde6e1",
        "block-cursor-text-style": "none",
        "footer-background": "#151d19",
        "footer-key-foreground": "#58c494",
        "input-selection-background": "#58c494 35%",
    },
)

GREENROOM_LIGHT = Theme(
    name="greenroom-light",
    primary="#1f7a55",
    secondary="#4c9a78",
    accent="#9a6a00",
    warning="#8f5d00",
    error="#b3261e",
    success="#1f7a55",
    foreground="#1c2420",
    background="#eef3f0",
    surface="#f7faf8",
    panel="#e1e9e4",
    dark=False,
    variables={
        **variables_for(dark=False),
        "block-cursor-background": "#d7e8de",
        "block-cursor-foreground": "#1c2420",
        "block-cursor-text-style": "none",
        "footer-background": "#f7faf8",
        "footer-key-foreground": "#1f7a55",
    },
)

GREENROOM_CONTRAST = Theme(
    name="greenroom-contrast",
    primary="#00ff9c",
    secondary="#00ffff",
    accent="#ffff00",
    warning="#ffd400",
    error="#ff8080",
    success="#00ff9c",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#2b2b2b",
    dark=True,
    variables={
        **variables_for(dark=True),
        "avatar-text": "#000000",
        "bubble-theirs": "#1f1f1f",
        "bubble-theirs-text": "#ffffff",
        "bubble-mine": "#ffffff",
        "bubble-mine-text": "#000000",
        "block-cursor-background": "#004d2f",
        "block-cursor-foreground": "#ffffff",
        "block-cursor-text-style": "bold",
        "footer-background": "#000000",
        "footer-key-foreground": "#00ff9c",
        "text-muted": "#d0d0d0",
    },
)

THEMES = (GREENROOM, GREENROOM_LIGHT, GREENROOM_CONTRAST)
