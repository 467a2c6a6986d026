"""The prompt is what the design says, to the letter, and every recipe holds the same template."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from persona.template import Turn, render, template_source

RECIPES = Path(__file__).parents[2] / "axolotl_configs"
TALK = [
    Turn(role="John Smith", content="damn, can't get around the limit\ntrying everything"),
    Turn(role="Alice", content="yeah same"),
]


def test_a_turn_is_a_mark_a_name_a_body_and_a_mark() -> None:
    assert render(TALK) == (
        "<|im_start|>John Smith\ndamn, can't get around the limit\ntrying everything<|im_end|>\n"
        "<|im_start|>Alice\nyeah same<|im_end|>\n"
    )


def test_a_reply_is_opened_in_the_name_of_its_speaker() -> None:
    assert render(TALK, speaker="John Smith") == render(TALK) + "<|im_start|>John Smith\n"


def test_a_context_turn_is_a_system_turn() -> None:
    assert render([Turn(role="system", content="Sunday evening")]).startswith(
        "<|im_start|>system\nSunday evening<|im_end|>"
    )


def test_bodies_are_not_touched_by_jinja() -> None:
    body = "{{ speaker }} {% raw %} <b>&amp;</b>"
    assert body in render([Turn(role="{{ 1 }}", content=body)])


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_recipe_holds_this_template(recipe: Path) -> None:
    settings = yaml.safe_load(recipe.read_text("utf-8"))
    assert settings["chat_template"] == "jinja"
    assert settings["chat_template_jinja"].rstrip("\n") == template_source().rstrip("\n")
