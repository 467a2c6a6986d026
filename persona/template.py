"""The one prompt format: where the template lies, and how a list of turns becomes text.

axolotl, llama.cpp and vLLM each render `chatml.jinja` with their own Jinja engine. `render` is the same file
rendered here; the tests hold the four equal, down to the token ids.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypedDict

import jinja2
import jinja2.sandbox

TEMPLATE_PATH = Path(__file__).with_name("chatml.jinja")

TURN_START = "<|im_start|>"
"""Opens every turn; the speaker's name and a line break follow."""

TURN_END = "<|im_end|>"
"""Closes every turn, and so ends every reply: the stop sequence of each request."""


class Turn(TypedDict):
    """One turn of a conversation: who spoke (or `system`), and what they said, one line a message."""

    role: str
    content: str


def template_source() -> str:
    """The text of the template, as the engines are given it."""
    return TEMPLATE_PATH.read_text("utf-8")


@cache
def _template() -> jinja2.Template:
    # The settings of transformers' own chat template environment, so that white space is treated alike.
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(template_source())


def render(turns: list[Turn], speaker: str | None = None) -> str:
    """The prompt text for `turns`; with `speaker`, it ends by opening that speaker's reply."""
    variables = {"speaker": speaker} if speaker is not None else {}
    return _template().render(messages=turns, add_generation_prompt=speaker is not None, **variables)


def render_turn(role: str, content: str) -> str:
    """One turn as `render` writes it, at a hundredth of Jinja's cost; a test holds the two equal."""
    return f"{TURN_START}{role}\n{content}{TURN_END}\n"
