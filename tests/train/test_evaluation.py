"""Likelihood, voices and style on cases that can be computed by hand, and the parts of a run that goes on."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner

from persona.card import Card, write_card
from persona.errors import UserError
from scripts.evaluate import evaluate
from tests.train.parrots import Parrot
from train.evaluation.likelihood import Foreseen, best_adapter, table_of
from train.evaluation.report import write_report
from train.evaluation.results import Results, Sides, kept, write_results
from train.evaluation.style import CHOICES, NUMBERS, Difference, differences, shannon
from train.evaluation.voices import Taken, Voices

SHOUTS = ["WHERE ARE YOU!!", "I SAID NOW!!", "COME HERE!!", "NOT AGAIN!!", "WHY ME!!", "TELL ME!!"]
PURRS = ["hm, maybe...", "later then...", "not sure...", "who knows...", "let it be...", "soon enough..."]


def score(nats: float, tokens: int = 10, size: int = 20) -> dict[str, float]:
    return {"nats": nats, "tokens": tokens, "bytes": size, "turns": 2}


def test_likelihood_is_told_by_the_token_and_by_the_byte() -> None:
    one = Foreseen(nats=math.log(2) * 40, tokens=10, bytes=20, turns=1)
    assert one.nats_a_token == pytest.approx(4 * math.log(2))
    assert one.bits_a_byte == pytest.approx(2)
    assert math.isnan(Foreseen(0, 0, 0, 0).nats_a_token)


def test_the_cross_table_is_by_speaker_and_the_base_is_nobodys_adapter() -> None:
    scores = {
        "base": {"Ann": score(10), "Bo": score(50)},
        "/a": {"Ann": score(20), "Bo": score(45)},
        "/b": {"Ann": score(30), "Bo": score(40)},
    }
    table = table_of(scores, {"/a": "Ann", "/b": "Bo"})
    assert list(table) == ["base", "Ann", "Bo"]
    assert table["Bo"]["Ann"].nats == 30
    assert (best_adapter(table, "Ann"), best_adapter(table, "Bo")) == ("Ann", "Bo")


def test_a_classifier_knows_the_voices_it_learnt_and_says_whom_it_takes_replies_for() -> None:
    voices = Voices({"Ann": SHOUTS, "Bo": PURRS})
    assert voices.taken("Ann", ["NOT NOW!!", "COME!!", "", "  "]) == Taken(2, 2, {"Ann": 2})
    assert voices.taken("Ann", ["perhaps...", "NOW!!"]) == Taken(2, 1, {"Bo": 1, "Ann": 1})
    assert voices.taken("Bo", []).share == 0


def test_one_voice_cannot_be_told_from_others() -> None:
    with pytest.raises(UserError, match="set of one persona"):
        Voices({"Ann": SHOUTS, "Bo": [" "]})


@pytest.mark.parametrize(
    ("what", "text", "value"),
    [
        ("characters", "abc\nd", 5),
        ("messages a turn", "abc\nd", 2),
        ("characters a message", "abc\nd", 2),
        ("capitals, share of letters", "Ab C1", 2 / 3),
        ("marks, share of characters", "a, b!", 2 / 5),
        ("emoji", "hi 🦆🦆", 2),
        ("questions", "what?? who?", 3),
        ("letters of other scripts than Latin", "да no", 1 / 2),
        ("said again within a reply", "ha ha ha ha", 1 / 2),  # of two runs of three words, one is the other again
    ],
)
def test_what_is_measured_of_a_reply(what: str, text: str, value: float) -> None:
    assert NUMBERS[what](text) == pytest.approx(value)


@pytest.mark.parametrize(
    ("what", "text", "values"),
    [
        ("first words", "Ok so\nwait, what", ["ok", "wait"]),
        ("last words", "Ok so\nwait, what?", ["so", "what"]),
        ("punctuation", "no... really?! :) ok.", ["...", "?!", ":", ")", "."]),
        ("emoji used", "🦆 and 🦆", ["🦆", "🦆"]),
    ],
)
def test_what_is_counted_of_a_reply(what: str, text: str, values: list[str]) -> None:
    assert CHOICES[what](text) == values


def test_the_distance_of_choices_is_that_of_jensen_and_shannon() -> None:
    assert shannon([["a"], ["b"]], [["b", "a"]]) == pytest.approx(0)
    assert shannon([["a"]], [["b"]]) == pytest.approx(1)
    # P = (1, 0), Q = (1/2, 1/2), M = (3/4, 1/4): JS = (log2(4/3) + (log2(2/3) + log2(2)) / 2) / 2.
    by_hand = (math.log2(4 / 3) + (math.log2(2 / 3) + math.log2(2)) / 2) / 2
    assert shannon([["a"]], [["a", "b"]]) == pytest.approx(math.sqrt(by_hand))
    assert (shannon([], []), shannon([["a"]], [])) == (0, 1)


def test_replies_in_the_same_style_are_at_the_floor_and_others_above_it() -> None:
    found = {one.what: one for one in differences(SHOUTS * 5, SHOUTS * 5, PURRS * 5, seed=1)}
    assert set(found) == {*NUMBERS, *CHOICES}
    capitals = found["capitals, share of letters"]
    assert (capitals.real, capitals.made) == (1, 1)
    assert capitals.distance == capitals.floor == 0
    # All of one side at 0 and all of the other at 1, a deviation apart: sqrt(2) is all that the distance can be.
    assert capitals.base == pytest.approx(math.sqrt(2))
    assert found["last words"].distance == pytest.approx(found["last words"].floor, abs=0.1)
    assert found["last words"].base == 1
    assert differences(SHOUTS, PURRS, seed=1) == differences(SHOUTS, PURRS, seed=1)


def test_too_few_replies_have_no_style() -> None:
    with pytest.raises(UserError, match="at least"):
        differences(SHOUTS, ["a", "", " "])


def test_a_part_that_is_done_is_not_done_again_unless_it_is_of_something_else(tmp_path: Path) -> None:
    done: list[int] = []

    def make() -> dict[str, Taken]:
        done.append(1)
        return {"Ann": Taken(2, 1, {"Bo": 1})}

    for made_from in (("a", 1), ("a", 1), ("a", 2)):
        assert kept(tmp_path, "voices", made_from, dict[str, Taken], make) == {"Ann": Taken(2, 1, {"Bo": 1})}
    assert len(done) == 2
    (tmp_path / "voices.json").write_text("{")
    kept(tmp_path, "voices", ("a", 2), dict[str, Taken], make)
    assert len(done) == 3


def test_the_command_asks_each_persona_and_compares_with_what_was_really_said(
    tmp_path: Path, parrot: Callable[..., Parrot]
) -> None:
    sets = tmp_path / "data" / "dataset"
    sets.mkdir(parents=True)
    for name in ("train.jsonl", "eval.jsonl"):
        talk = [
            {"conversations": [turn("Ann", "so?"), turn("Bo", purr, train=True), turn("Ann", shout, train=True)]}
            for shout, purr in zip(SHOUTS, PURRS, strict=True)
        ]
        (sets / name).write_text("".join(json.dumps(one) + "\n" for one in talk))
    for name in ("Ann", "Bo"):
        write_card(tmp_path / "data" / "personas" / name.lower(), Card(speaker=name, base="b"))
    # Both shout: Ann's persona is taken for her, and Bo's too.
    heard = parrot(lambda said: f"{said.upper()} NOW!!")
    app = typer.Typer()
    app.command()(evaluate)
    asked = ["--part", "voices", "--part", "style", "--url", heard.url, "-n", "8", "--data", str(tmp_path / "data")]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert len(heard.asked) == 16
    out = tmp_path / "data" / "evaluation" / "latest"
    found = msgspec.json.decode((out / "evaluation.json").read_bytes(), type=Results)
    assert found.likelihood is None
    assert found.voices["Ann"].real == Taken(6, 6, {"Ann": 6})
    assert (found.voices["Ann"].persona.share, found.voices["Bo"].persona.share) == (1, 0)
    capitals = {who: {one.what: one for one in rows}["capitals, share of letters"] for who, rows in found.style.items()}
    assert capitals["Ann"].distance == 0
    assert capitals["Bo"].distance > 1
    first = (out / "evaluation.json").read_bytes()
    assert CliRunner().invoke(app, asked).exit_code == 0
    assert len(heard.asked) == 16
    assert (out / "evaluation.json").read_bytes() == first


def turn(who: str, what: str, *, train: bool = False) -> dict[str, object]:
    return {"from": who, "value": what, "train": train}


def test_the_page_has_the_numbers_of_every_part_and_loads_nothing(tmp_path: Path) -> None:
    scores = {"base": {"<Ann>": score(50)}, "/a": {"<Ann>": score(31.25)}}
    results = Results(
        "sha",
        7,
        20,
        {"<Ann>": ""},
        table_of(scores, {"/a": "<Ann>"}),
        {"<Ann>": Sides(Taken(10, 9, {"<Ann>": 9, "Bo": 1}), Taken(20, 12, {"<Ann>": 12, "Bo": 8}))},
        {"<Ann>": [Difference("emoji", 0.75, 0.25, None, 1.5, 2.5)]},
        ["Bo has no held-out replies"],
    )
    page = write_report(tmp_path, results).read_text("utf-8")
    for shown in (
        "5.000",
        "<strong>3.125</strong>",
        "60 % of 20",
        "90 % of 10",
        "0.75",
        "0.25",
        "Bo has no held-out",
        "Seed 7",
    ):
        assert shown in page
    assert "<Ann>" not in page
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
    assert write_report(tmp_path, Results("sha", 7, 0, {})).is_file()
    for path in (write_results(tmp_path, results), tmp_path / "report.html"):
        assert path.stat().st_mode & 0o077 == 0
