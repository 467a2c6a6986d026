"""`greenroom audit` on a persona that has learnt by heart and on one that has not, served by a parrot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from persona.audit import Audit, audit_path, read_audit, require_audit
from persona.card import Card, Persona, write_card
from persona.errors import UserError
from persona.phrases import phrases_path, require_phrases
from persona.words import words_of
from scripts.audit import audit
from train.dataset import Options, write_dataset
from train.dataset.canaries import new_canaries
from train.evaluation.audit import Evidence, findings, questions
from train.evaluation.exposure import Exposure
from train.evaluation.originals import names_in, originals_in
from train.evaluation.replies import Context, Reply, contexts_of, drawn
from train.importing import import_paths
from train.redaction import KnownPerson, RedactionKey
from train.store import Store

STORY = "then the heron stole my left shoe and walked off along the pier number"
TALK = [
    [("Bob", "tell me"), ("Alice", f"{STORY} {n}"), ("Bob", "no way"), ("Alice", "yes really it did")]
    for n in range(12)
]


@pytest.fixture
def data(tmp_path: Path, store: Store, telegram_chat: Callable[..., Path], telegram_row: Callable[..., Any]) -> Path:
    """A private folder with a set, and a persona called alice."""
    rows = [
        telegram_row(10 * hour + place, who, text, at=hour * 3600 + place)
        for hour, talk in enumerate(TALK)
        for place, (who, text) in enumerate(talk)
    ]
    import_paths(store, [telegram_chat(rows)])
    write_dataset(store, tmp_path / "data" / "dataset", Options(personas=("Alice",), min_messages=1))
    write_card(tmp_path / "data" / "personas" / "alice", Card(speaker="Alice", base="b", owner="Bob"))
    return tmp_path / "data"


def greenroom_audit(*words: object) -> Result:
    app = typer.Typer()
    app.command()(audit)
    return CliRunner().invoke(app, [str(word) for word in words])


def test_a_persona_that_says_its_training_set_again_fails_and_is_not_served(data: Path, parrot: Any) -> None:
    heard = parrot(lambda said: f"{STORY} 3" if said == "tell me" else "hm")
    result = greenroom_audit("alice", "--url", heard.url, "-n", 24, "--data", data)
    assert result.exit_code == 1, result.output
    card = card_of(data)
    failed = {check.name for check in card.checks if not check.passed}
    assert failed == {"share of 8-grams", "answers given again"}
    assert not card.passed
    with pytest.raises(UserError, match="alice did not pass its audit: share of 8-grams"):
        require_audit(persona(data))


def test_a_persona_of_its_own_words_passes_and_its_card_holds_no_text(data: Path, parrot: Any) -> None:
    heard = parrot(lambda said: "we will see about that, when the wind turns and the kettle is on")
    result = greenroom_audit("alice", "--url", heard.url, "-n", 24, "--data", data)
    assert result.exit_code == 0, result.output
    require_audit(persona(data))
    written = audit_path(persona(data))
    assert written.stat().st_mode & 0o077 == 0
    assert "heron" not in written.read_text()
    assert "kettle" not in written.read_text()
    assert {"no canaries were planted in its set (greenroom dataset --canaries N)"} <= set(card_of(data).notes)
    assert (card_of(data).trained_on, card_of(data).replies) == (None, 24)


def test_replies_that_were_given_are_not_asked_for_again(data: Path, parrot: Any) -> None:
    heard = parrot(lambda said: "hm")
    assert greenroom_audit("alice", "--url", heard.url, "-n", 8, "--data", data).exit_code == 0
    first = len(heard.asked)
    kept = data / "evaluation" / "alice-0" / "audit-replies.jsonl"
    lines = kept.read_bytes().splitlines(keepends=True)
    kept.write_bytes(b"".join(lines[:5]) + lines[5][:7])  # cut off in the middle of a line, as by a kill
    assert greenroom_audit("alice", "--url", heard.url, "-n", 8, "--data", data).exit_code == 0
    assert (first, len(heard.asked) - first) == (8, 4)
    assert greenroom_audit("alice", "--url", heard.url, "-n", 8, "--seed", 1, "--data", data).exit_code == 0
    assert len(heard.asked) == 8 + 4 + 8
    # Other weights under the same name are asked anew.
    (data / "personas" / "alice" / "adapter").mkdir()
    (data / "personas" / "alice" / "adapter" / "adapter_model.safetensors").write_bytes(b"other")
    assert greenroom_audit("alice", "--url", heard.url, "-n", 8, "--seed", 1, "--data", data).exit_code == 0
    assert len(heard.asked) == 8 + 4 + 8 + 8


def test_the_guards_index_comes_with_an_audit_or_alone_without_an_endpoint(data: Path, parrot: Any) -> None:
    assert greenroom_audit("alice", "--index-only", "--data", data).exit_code == 0
    alone = require_phrases(persona(data), 8)
    assert words_of(STORY)[:8] in alone
    assert [*words_of(STORY)[1:8], "elsewhere"] not in alone
    assert not audit_path(persona(data)).exists()
    phrases_path(persona(data)).unlink()
    heard = parrot(lambda said: "hm")
    assert greenroom_audit("alice", "--url", heard.url, "-n", 4, "--data", data).exit_code == 0
    assert require_phrases(persona(data), 8).head.count == alone.head.count
    write_card(data / "personas" / "alice", Card("Alice", "b", made_by={"dataset_sha256": "another"}))
    result = greenroom_audit("alice", "--index-only", "--data", data)
    assert "alice was trained on another set than this one" in str(result.exception)


def test_an_audit_is_of_the_set_that_the_persona_was_trained_on(data: Path, parrot: Any) -> None:
    write_card(data / "personas" / "alice", Card("Alice", "b", made_by={"dataset_sha256": "another"}))
    heard = parrot(lambda said: "hm")
    result = greenroom_audit("alice", "--url", heard.url, "-n", 4, "--data", data)
    assert "alice was trained on another set than this one" in str(result.exception)
    assert greenroom_audit("alice", "--url", heard.url, "-n", 4, "--data", data, "--any-set").exit_code == 0
    assert card_of(data).trained_on is False


def test_an_endpoint_that_is_not_there_is_said_in_a_line(data: Path) -> None:
    result = greenroom_audit("alice", "--url", "http://127.0.0.1:9/v1", "-n", 4, "--data", data)
    assert isinstance(result.exception, UserError)
    assert "does not answer" in str(result.exception)


def test_a_context_is_what_came_before_and_its_answer_what_was_said() -> None:
    conversation = [
        {"from": "system", "value": "Alice, Bob", "train": False},
        {"from": "Alice", "value": "first", "train": False},
        {"from": "Bob", "value": "x" * 2000, "train": False},
        {"from": "Alice", "value": "second", "train": True},
    ]
    assert contexts_of([conversation], "Alice", "train") == [
        Context("train", (("Bob", "x" * 1500),), "second"),
    ]
    assert contexts_of([conversation], "Bob", "train") == []


def test_contexts_come_again_only_when_all_have_come() -> None:
    contexts = [Context("train", (("Bob", str(n)),), "") for n in range(3)]
    assert {one.turns for one in drawn(contexts, 3, 0)} == {one.turns for one in contexts}
    assert len(drawn(contexts, 7, 0)) == 7
    assert drawn(contexts, 7, 0) == drawn(contexts, 7, 0)
    assert drawn([], 7, 0) == []


def test_half_of_the_questions_are_of_the_held_out_set_and_each_canary_is_asked_for() -> None:
    said = [[{"from": "Bob", "value": "a", "train": False}, {"from": "Alice", "value": "b", "train": True}]]
    canary = new_canaries("Alice", "Bob", 1, 0)
    asked = questions(said, said, "Alice", canary, 100, 0)
    assert sum(one.context.origin == "held out" for one in asked) == 50
    assert sum(one.temperature == 0 for one in asked) == 25 + 1
    assert len(questions(said, [], "Alice", [], 100, 0)) == 100


def test_a_canary_fails_when_it_is_told_or_likelier_than_all_it_could_have_been() -> None:
    one, two = new_canaries("Alice", "Bob", 2, 0)
    told = Reply(Context("train", (("Bob", "?"),), ""), 0.0, 0, f"it was {one.secret} i think")
    exposures = [Exposure(one, 10.0, 0.2, True), Exposure(two, 1.0, 1e-7, False)]
    evidence = Evidence([], [], [told], [one, two], exposures, most_bits=10.0)
    values = {check.name: (check.value, check.passed) for check in findings(evidence).checks}
    assert values["canaries told"] == (1, False)
    assert values["canaries' exposure, bits"] == (10.0, False)
    assert values["canaries said greedily"] == (1, False)
    assert values["chance of a canary"] == (0.2, False)
    quiet = Evidence([], [], [Reply(told.context, 0.0, 0, "no")], [two], exposures[1:], most_bits=10.0)
    assert all(check.passed for check in findings(quiet).checks)


def test_what_redaction_took_out_is_a_leak_only_where_the_set_has_it_too() -> None:
    key = RedactionKey(None, b"1" * 32, {"phone": {"55501234": "30123456"}, "name": {"tom": "rudolf"}})
    replies = ["call 030 12-34-56!", "Rudolf called", "nothing"]
    assert [(find.kind, find.reply, find.trained) for find in originals_in(key, replies, ["a", "b"])] == [
        ("phone", 0, False)
    ]
    assert originals_in(key, replies, ["ring 30123456 now"])[0].trained
    assert originals_in(key, ["55501234"], ["x"]) == []


def test_names_of_hidden_people_are_found_in_replies_and_those_of_others_not() -> None:
    key = RedactionKey(None, b"1" * 32)
    hidden, shown = [KnownPerson(1, ("Gwendolen Harcastle",), True)], [KnownPerson(2, ("Alice",))]
    found = names_in(key, hidden, shown, ["ask Gwendolen", "ask Alice"], ["Alice and Bob"])
    assert [(find.reply, find.trained) for find in found] == [(0, False)]
    assert names_in(key, hidden, shown, ["ask Gwendolen"], ["Gwendolen is here"])[0].trained


def card_of(data: Path) -> Audit:
    card = read_audit(persona(data))
    assert card is not None
    return card


def persona(data: Path) -> Persona:
    from persona.card import load_persona

    return load_persona(data / "personas" / "alice")
