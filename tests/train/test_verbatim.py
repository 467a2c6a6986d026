"""Runs and n-grams that replies share with a training set, on cases counted by hand and against a plain search."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from persona.words import words_of
from train.evaluation.verbatim import Run, Texts, Unit, longest_runs, ngram_share


def runs(train: list[str], samples: list[str], unit: Unit = "words") -> list[Run]:
    return longest_runs(Texts(train, unit), Texts(samples, unit, samples=True))


def share(train: list[str], samples: list[str], length: int) -> tuple[int, int]:
    return ngram_share(Texts(train, "words"), Texts(samples, "words", samples=True), length)


def test_the_longest_run_is_told_with_its_place_and_the_text_it_is_from() -> None:
    train = ["nothing to see", "Meet me behind the old lighthouse at nine, bring the duck."]
    assert runs(train, ["so: meet me behind the OLD lighthouse at ten"]) == [Run(7, start=1, text=1)]


def test_case_punctuation_and_accents_do_not_hide_a_run() -> None:
    assert runs(["l'été dernier, à la plage"], ["L ETE DERNIER A LA PLAGE!!"])[0].length == 6
    assert words_of("Ёжик: ёлка, café") == ["ежик", "елка", "cafe"]


def test_han_is_counted_by_the_character() -> None:
    assert runs(["我们明天去海边吃饭"], ["明天去海边"])[0].length == 5


def test_a_run_does_not_go_on_from_one_message_of_the_set_into_the_next() -> None:
    assert runs(["one two three four", "five six seven eight"], ["one two three four five six seven eight"]) == [
        Run(4, start=0, text=0)
    ]


def test_less_than_four_words_are_everybodys() -> None:
    assert runs(["aye aye captain"], ["aye aye captain", ""]) == [Run(0), Run(0)]
    assert runs([], ["aye aye captain aye"]) == [Run(0)]
    assert runs(["aye"], []) == []


def test_characters_are_compared_as_they_are_written() -> None:
    train, sample = "my locker code is 4-9-1-7", "yes, my  locker code is 4-9-2"
    assert runs([train], [sample], "characters")[0].length == len("my locker code is 4-9-")


def test_a_loop_is_found_at_its_full_length() -> None:
    assert runs(["ha " * 300], ["ha " * 40, "ha " * 500]) == [Run(40, 0, 0), Run(300, 0, 0)]


def test_the_share_of_ngrams_counts_each_place_and_never_crosses_messages() -> None:
    train = ["a b c d e", "x y z"]
    # "a b c", "b c d" and "x y z" stand there; "c d q", "d x y" do not.
    assert share(train, ["a b c d q", "d x y z"], 3) == (3, 5)
    assert share(train, ["a b", ""], 3) == (0, 0)


@given(
    st.lists(st.lists(st.sampled_from("abc"), max_size=12), max_size=4),
    st.lists(st.lists(st.sampled_from("abc"), max_size=12), max_size=4),
)
def test_it_finds_what_a_plain_search_finds(train: list[list[str]], samples: list[list[str]]) -> None:
    texts = ["".join(f"{word} " for word in text) for text in train]
    for found, sample in zip(runs(texts, [" ".join(one) for one in samples]), samples, strict=True):
        there = {tuple(sample[start:end]) for start in range(len(sample)) for end in range(start + 4, len(sample) + 1)}
        longest = max((len(run) for run in there if any(is_in(run, text) for text in train)), default=0)
        assert found.length == longest
        if longest:
            assert is_in(tuple(sample[found.start : found.start + longest]), train[found.text])


def is_in(run: tuple[str, ...], text: list[str]) -> bool:
    return any(tuple(text[start : start + len(run)]) == run for start in range(len(text)))
