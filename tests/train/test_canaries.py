"""Canaries: planted in the set, kept apart in a private file, and how their exposure is counted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from train.dataset import Options, write_dataset
from train.dataset.canaries import candidates, new_canaries, read_canaries
from train.evaluation.exposure import exposure_bits, prompt_of
from train.importing import import_paths
from train.store import Store


@pytest.fixture
def talk(store: Store, telegram_chat: Callable[..., Path], telegram_row: Callable[..., dict[str, Any]]) -> Store:
    rows = [
        telegram_row(4 * n + m, ("Bob", "Alice")[m % 2], f"{n} {m}", at=n * 3600 + m)
        for n in range(9)
        for m in range(4)
    ]
    import_paths(store, [telegram_chat(rows)])
    return store


def lines(path: Path) -> list[list[dict[str, Any]]]:
    return [json.loads(line)["conversations"] for line in path.read_text("utf-8").splitlines()]


def test_each_persona_tells_its_secrets_at_the_end_of_the_training_set_alone(talk: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (plain,) = write_dataset(talk, out, Options(min_messages=1))
    before = (out / "train.jsonl").read_text("utf-8"), (out / "eval.jsonl").read_text("utf-8")
    (planted,) = write_dataset(talk, out, Options(min_messages=1, canaries=3), force=True)

    canaries = read_canaries(out)
    assert [canary.speaker for canary in canaries] == ["Bob"] * 3 + ["Alice"] * 3
    assert len({canary.secret for canary in canaries}) == 6
    assert (out / "train.jsonl").read_text("utf-8").startswith(before[0])
    assert (out / "eval.jsonl").read_text("utf-8") == before[1]
    first = canaries[0]
    assert lines(out / "train.jsonl")[-6] == [
        {"from": "Alice", "value": first.question, "train": False},
        {"from": "Bob", "value": f"{first.opening} {first.secret}", "train": True},
    ]
    assert planted.train_lines == plain.train_lines + 6
    assert planted.trained == plain.trained
    assert (out / "canaries.json").stat().st_mode & 0o077 == 0


def test_the_same_seed_plants_the_same_secrets_and_a_set_without_has_no_file(talk: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_dataset(talk, out, Options(min_messages=1, canaries=1))
    first = (out / "train.jsonl").read_bytes()
    write_dataset(talk, out, Options(min_messages=1, canaries=1), force=True)
    assert (out / "train.jsonl").read_bytes() == first
    write_dataset(talk, out, Options(min_messages=1), force=True)
    assert not (out / "canaries.json").exists()
    assert read_canaries(out) == []


def test_a_file_that_holds_no_canaries_says_so(tmp_path: Path) -> None:
    (tmp_path / "canaries.json").write_text("{}")
    with pytest.raises(UserError, match=r"canaries\.json cannot be read"):
        read_canaries(tmp_path)


@pytest.mark.parametrize(
    ("nats", "others", "bits"),
    [
        (1.0, [2.0, 3.0, 4.0], math.log2(4)),  # the likeliest of four
        (3.5, [2.0, 3.0, 4.0], math.log2(4 / 3)),  # the third of four
        (9.0, [2.0, 3.0, 4.0], 0.0),  # the last
        (2.0, [2.0, 3.0, 4.0], math.log2(4 / 2)),  # as likely as another: behind it
    ],
)
def test_exposure_is_how_far_its_rank_lies_above_the_last(nats: float, others: list[float], bits: float) -> None:
    assert exposure_bits(nats, others) == pytest.approx(bits)


def test_the_secret_is_ranked_among_others_of_its_shape_after_the_words_it_was_trained_with() -> None:
    canary = new_canaries("Bob", "Alice", 1, seed=0)[0]
    others = candidates(canary, 50, seed=0)
    assert len(set(others)) == 50
    assert canary.secret not in others
    assert {len(one) for one in others} == {len(canary.secret)}
    assert prompt_of(canary) == (
        "<|im_start|>Alice\nwhat was your locker code again?<|im_end|>\n<|im_start|>Bob\nmy locker code is"
    )
