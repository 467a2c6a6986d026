"""What the report takes for somebody's phrases: tokens, typical ones, distinctive ones."""

import math
import os
import random
import subprocess
import sys

import pytest

from train.dataset.phrases import Phrase, phrases_of, z_score
from train.dataset.words import joined, tokens_of


def tokens(text: str) -> list[str]:
    return [token for token, _ in tokens_of(text)]


def typical(texts: list[str], others: list[str] | None = None, most: int = 12) -> list[Phrase]:
    return phrases_of({"Ann": texts}, others or [], most)["Ann"].typical


def distinctive(texts: list[str], others: list[str]) -> list[str]:
    return [phrase.text for phrase in phrases_of({"Ann": texts}, others)["Ann"].distinctive]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't well-known", ["don't", "well-known"]),
        ("don’t", ["don't"]),
        ("yes, no", ["yes", "", "no"]),
        ("да)))))", ["да", ")))"]),
        ("жаль(", ["жаль", "("]),
        ("one (aside) two", ["one", "", "aside", "", "two"]),
        ("hm... ok… no!! what?!", ["hm", "...", "ok", "…", "no", "!!", "what", "?!"]),
        (":) :-( ;) :D <3 ok:)", [":)", ":-(", ";)", ":D", "<3", "ok", ":)"]),
        ("at 10:30", ["at", "", "", ""]),
        ("see https://example.com/a?b=c there", ["see", "", "there"]),
        ("WHAT is I", ["WHAT", "is", "i"]),
        ("noooooo хахахахаха", ["nooo", "хахаха"]),
        ("😂😂😂😂😂 👍🏽 👨‍👩‍👧 🇩🇪", ["😂😂😂", "👍🏽", "👨‍👩‍👧", "🇩🇪"]),
        ("[voice message] [sticker 😭] hi", ["[voice message]", "[sticker 😭]", "hi"]),
        ("नमस्ते दोस्त", ["नमस्ते", "दोस्त"]),
        ("今日ありがとう", ["今", "日", "ありがとう"]),
        ("two\nlines", ["two", "", "lines"]),
        ("", []),
    ],
)
def test_a_message_is_words_emoji_smileys_and_runs_of_marks(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


def test_the_same_letters_composed_in_two_ways_are_one_word() -> None:
    assert tokens("e\u0301te\u0301") == tokens("\u00e9t\u00e9")


def test_han_and_kana_are_joined_without_spaces() -> None:
    assert joined(["今", "日", "ok", "は"]) == "今日 ok は"


def test_the_score_is_monroes_log_odds_by_hand() -> None:
    # 9 of 100 words against 4 of 200, with one word of ten said by both beforehand.
    odds = math.log(10 / (110 - 10)) - math.log(5 / (210 - 5))
    assert z_score(9, 100, 4, 200, 1, 10) == pytest.approx(odds / math.sqrt(1 / 10 + 1 / 5))
    assert z_score(4, 200, 9, 100, 1, 10) == pytest.approx(-z_score(9, 100, 4, 200, 1, 10))
    assert z_score(5, 100, 5, 100, 1, 10) == 0


def test_a_phrase_that_is_a_part_of_a_longer_one_gives_way_to_it() -> None:
    # "in the" and "the house" are nowhere else; "house" is, as often again.
    assert typical(["in the house"] * 4 + ["house"] * 4) == [Phrase("house", 8), Phrase("in the house", 4)]
    assert typical(["on the way home"] * 5) == [Phrase("on the way home", 5)]


def test_a_phrase_has_at_most_four_words_and_none_crosses_a_break() -> None:
    assert all(len(phrase.text.split()) <= 4 for phrase in typical(["a b c d e f"] * 5))
    assert {phrase.text for phrase in typical(["good, night"] * 5)} == {"good", "night"}


def test_a_message_counts_once_however_often_it_says_a_thing() -> None:
    assert typical(["ha, ha, ha, ha"] * 3 + ["ha"]) == [Phrase("ha", 4)]


def test_what_is_said_less_than_three_times_is_no_phrase() -> None:
    assert typical(["twice"] * 2) == []


def test_a_phrase_is_shown_as_it_is_mostly_written() -> None:
    assert typical(["Good Morning", "good Morning", "Good morning", "Good Morning"]) == [Phrase("Good Morning", 4)]
    assert {one.text for one in typical(["NEVER"] * 3 + ["never"] * 4)} == {"NEVER", "never"}


def test_what_everybody_says_is_not_typical_but_a_favourite_is() -> None:
    draw = random.Random(5)
    filler = [f"{a}{b}{c}" for a in "bdgkmn" for b in "aeiou" for c in "lrst"]

    def speech(favourite: str) -> list[str]:
        common = "the and you".split()
        return [" ".join([draw.choice(common), draw.choice(filler), draw.choice(common)]) for _ in range(600)] + [
            f"{draw.choice(filler)} {favourite}" for _ in range(40)
        ]

    found = phrases_of({"Ann": speech("marvellous"), "Bob": speech("splendid")}, speech("decent"))
    for name, favourite, other in (("Ann", "marvellous", "splendid"), ("Bob", "splendid", "marvellous")):
        said = [phrase.text for phrase in found[name].typical]
        assert favourite in said
        assert not {"the", "and", "you", "the and", other} & set(said)
        assert found[name].distinctive[0].text == favourite


def test_distinctive_is_against_everybody_else_and_not_against_silence() -> None:
    ours, theirs = ["fine day", "nay nay"] * 20, ["fine day", "yeah no"] * 20
    assert distinctive(ours, theirs) == ["nay nay"]
    assert distinctive(ours, []) == []
    assert distinctive(ours, ours) == []


def test_of_two_distinctive_phrases_none_holds_the_other() -> None:
    found = distinctive(["i shall go", "i shall be there", "shall we"] * 100, ["well no then"] * 300)
    assert len(found) > 1
    for one in found:
        assert not any(one != other and f" {one} " in f" {other} " for other in found)


def test_marks_are_habits_too() -> None:
    assert ")))" in distinctive(["да)))", "нет))))", "ладно)))))"] * 100, ["да", "нет", "ладно"] * 100)


def test_nobody_and_nothing_has_no_phrases() -> None:
    assert phrases_of({}, []) == {}
    assert typical([]) == []
    assert typical(["", "\n", "12 34", ",,,"]) == []


def test_the_same_messages_give_the_same_phrases_in_another_process() -> None:
    code = (
        "from train.dataset.phrases import phrases_of\n"
        "words = [chr(97 + n % 26) * (1 + n % 3) for n in range(90)]\n"
        "texts = [' '.join(words[n % 7 : n % 7 + 1 + n % 5]) + '!' * (n % 3) for n in range(400)]\n"
        "print(phrases_of({'A': texts, 'B': texts[::3]}, texts[::5]))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert "Phrase(" in outputs.pop()


def test_where_everybody_says_one_thing_nothing_is_distinctive() -> None:
    assert distinctive(["hi"] * 5, ["hi"] * 5) == []
    assert distinctive(["hi"] * 5, ["", "12"]) == []
    assert typical(["hi"] * 5, ["hi"] * 5) == [Phrase("hi", 5)]


def test_of_endless_messages_only_the_beginning_counts() -> None:
    texts = [f"fine {'x ' * 10_000} late"] * 4
    assert "fine x x x" in [phrase.text for phrase in typical(texts)]
    assert not any("late" in phrase.text for phrase in typical(texts))
