"""A base that the prompt format does not suit is found before it is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from tests import base_tokenizers
from train.base_tokens import check_base, joined
from train.recipe import RECIPES, read_recipe

RECIPE = read_recipe(RECIPES / "smollm2-lora-cpu.yml")
SILENT = {key: value for key, value in RECIPE.items() if key != "eot_tokens"}


def said(*turns: tuple[str, str]) -> list[dict[str, Any]]:
    return [{"from": name, "value": text, "train": place > 0} for place, (name, text) in enumerate(turns)]


def test_a_base_needs_chatmls_marks_as_tokens(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gpt-2 has no token for <\|im_start\|>.*docs/training.md"):
        check_base(base_tokenizers.gpt2(tmp_path / "gpt-2"), RECIPE)
    reserved = base_tokenizers.llama_3(tmp_path / "llama-3")
    with pytest.raises(UserError, match="no token"):
        check_base(reserved, RECIPE)
    check_base(base_tokenizers.with_marks_for_reserved(reserved), RECIPE)
    check_base(base_tokenizers.unigram(tmp_path / "unigram"), RECIPE)


def test_the_closing_mark_has_to_be_trained(tmp_path: Path) -> None:
    base = base_tokenizers.qwen_base(tmp_path / "qwen")
    with pytest.raises(UserError, match=r"eot_tokens: \[<\|im_end\|>\]"):
        check_base(base, SILENT)
    check_base(base, RECIPE)
    check_base(base, SILENT | {"special_tokens": {"eos_token": "<|im_end|>"}})
    for eos_token in ("<|im_end|>", {"content": "<|im_end|>"}):
        (base / "tokenizer_config.json").write_text(json.dumps({"eos_token": eos_token}))
        check_base(base, SILENT)


def test_pieces_that_run_from_a_name_into_a_body_are_counted(tmp_path: Path) -> None:
    talk = said(("Zoë 🥐", "6?"), ("Milo Tarkwhistle", "fair enough"), ("Zoë 🥐", "what"), ("Milo Tarkwhistle", "😭"))
    assert joined(base_tokenizers.unigram(tmp_path / "joins", joins_lines=True), [talk]) == (1, 3)
    assert joined(base_tokenizers.unigram(tmp_path / "unigram"), [talk]) == (0, 3)
    assert joined(base_tokenizers.llama_3(tmp_path / "llama-3"), [talk]) == (0, 3)


def test_a_tokenizer_that_is_broken_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="not a tokenizer file"):
        check_base(tmp_path, RECIPE)
