"""What is held out is not trained on, also where it stands in the store a second time."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from train.dataset import Options, write_dataset
from train.dataset.near_duplicates import HeldOut
from train.importing import import_paths
from train.sessions import Session, Turn
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]

WORDS = [f"{first}{second}" for first in "ba ko mi ru te".split() for second in "lan nis pol rek sum tov".split()]
TALK = [
    "did you see the boat they pulled out of the harbour",
    "the green one with the broken mast, yes",
    "my uncle says it belonged to the Aldermans before the flood",
    "he says that about every boat he has ever seen",
    "still, somebody should ask them before it is gone",
]


def session(*messages: str) -> Session:
    return Session(1, 0, 0, [Turn(n % 2, [message]) for n, message in enumerate(messages)])


def held_out(*messages: str) -> HeldOut:
    held = HeldOut()
    held.add(session(*messages))
    return held


def test_the_same_session_is_found_also_with_other_capitals_and_a_typo() -> None:
    held = held_out(*TALK)
    assert held.look_for(session(*TALK)).whole
    assert held.look_for(session(*(line.upper() for line in TALK))).whole
    assert held.look_for(session(*TALK[:4], TALK[4].replace("somebody", "sombody"))).whole


def test_a_held_out_session_inside_a_longer_one_is_found() -> None:
    around = [f"and something else entirely, number {n} of many more" for n in range(20)]
    assert held_out(*TALK).look_for(session(*around, *TALK, *around)).whole


def test_another_session_is_not_found() -> None:
    other = [
        "did you see the game last night, what a mess that was",
        "the green one with the broken mast, yes",
        "no I was asleep by nine, you know me well enough",
        "they should fire everybody and start again with children",
    ]
    found = held_out(*TALK).look_for(session(*other))
    assert not found.whole


def test_everyday_phrases_are_not_duplicates() -> None:
    daily = ["good morning!!", "good morning", "did you sleep", "yes and you"]
    held = HeldOut()
    for _ in range(30):
        held.add(session(*daily))
    assert not held.look_for(session(*daily)).whole


def test_a_single_turn_that_is_held_out_elsewhere_is_named() -> None:
    recipe = "take two onions and a pound of flour and leave both of them alone until somebody comes to help you"
    held = held_out(*TALK, "what do I do with the onions", recipe)
    around = [f"and something else entirely, number {n} of many more" for n in range(20)]
    found = held.look_for(session(*around, recipe))
    assert (found.whole, found.turns) == (False, frozenset({20}))


def test_a_chat_that_was_imported_twice_does_not_train_on_its_own_evaluation(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row
) -> None:
    def rows(shift: int) -> list[dict[str, Any]]:
        chance = random.Random(1)
        return [
            telegram_row(2 * n + m, ("Bob", "Alice")[m], " ".join(chance.choices(WORDS, k=12)), at=n * 3600 + m + shift)
            for n in range(40)
            for m in range(2)
        ]

    import_paths(store, [telegram_chat(rows(0))])
    # The same chat under another id, with a newest part of its own that pushes the copies into the older part.
    more = [telegram_row(1000 + n, ("Bob", "Alice")[n % 2], f"new {n}", at=9_000_000 + n) for n in range(20)]
    import_paths(store, [telegram_chat(rows(7) + more, to="again.json", id=99)])
    (written,) = write_dataset(store, tmp_path / "out", Options(("Alice",), min_messages=1, redact=False))
    trained, held = (_trained(tmp_path / "out" / f"{name}.jsonl") for name in ("train", "eval"))
    copies = {value for value in held if not value.startswith("new")}
    assert len(copies) == 4
    assert not trained & held
    assert written.dropped["near-duplicates of held-out sessions"] == 2 * len(copies)


def _trained(path: Path) -> set[str]:
    rows = path.read_text("utf-8").splitlines()
    return {turn["value"] for row in rows for turn in json.loads(row)["conversations"] if turn["train"]}
