"""Cutting a conversation to the length of a model."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from persona.template import render
from train.conversations import Utterance, cut_to_fit


def conversation(*parts: tuple[str, str]) -> list[Utterance]:
    turns = [Utterance(speaker, value, speaker == "A") for speaker, value in parts]
    turns[0].train = False
    return turns


def lengths(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]


def length(window: list[Utterance]) -> int:
    return len(render([{"role": turn.speaker, "content": turn.value} for turn in window]))


def test_what_fits_is_not_cut() -> None:
    turns = conversation(("B", "x"), ("A", "y"))
    assert cut_to_fit(turns, 10_000, lengths).windows == [turns]


def test_a_long_conversation_keeps_context_before_each_trained_turn() -> None:
    turns = conversation(*(("AB"[n % 2], f"{n:02}") for n in range(40)))
    cost = length(turns[:1])
    cut = cut_to_fit(turns, cost * 10, lengths)
    assert [len(window) for window in cut.windows[:2]] == [9, 10]
    for window in cut.windows[1:]:
        first = next(index for index, turn in enumerate(window) if turn.train)
        assert first >= 4, "less than half a window of context"
    # More context than that would read the same text over and over.
    assert len(cut.windows) == 6


def test_a_turn_too_long_for_context_is_shortened_from_its_start() -> None:
    turns = conversation(("B", "\n".join(f"line {n}" for n in range(100))), ("A", "yes"))
    cut = cut_to_fit(turns, 100, lengths)
    ((context, reply),) = cut.windows
    assert context.value.endswith("line 98\nline 99")
    assert (context.train, reply.train, reply.value) == (False, True, "yes")


def test_a_trained_turn_that_cannot_fit_is_left_out() -> None:
    turns = conversation(("B", "x"), ("A", "y" * 500), ("B", "z"), ("A", "short"))
    cut = cut_to_fit(turns, 200, lengths)
    assert cut.trained == [3]
    assert [turn.value for turn in cut.windows[0]] == ["z", "short"]


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.text("ab\n", min_size=1, max_size=80)), min_size=1, max_size=40),
    st.integers(60, 600),
)
def test_windows_fit_and_train_each_turn_once(parts: list[tuple[str, str]], most: int) -> None:
    turns = conversation(*parts)
    cut = cut_to_fit(turns, most, lengths)
    wanted = [index for index, turn in enumerate(turns) if turn.train and index]
    fits = {i for i in wanted if length([turns[i]]) + length([Utterance(turns[i - 1].speaker, "", False)]) + 80 <= most}
    assert fits <= set(cut.trained) <= set(wanted)
    trained = [turn.value for window in cut.windows for turn in window if turn.train]
    assert trained == [turns[index].value for index in cut.trained]
    for window in cut.windows:
        assert length(window) <= most
        assert not window[0].train
        assert any(turn.train for turn in window)


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.text("ab\n", min_size=1, max_size=60)), min_size=2, max_size=30),
    st.integers(60, 400),
)
def test_with_full_overlap_no_trained_turn_could_have_more_context(parts: list[tuple[str, str]], most: int) -> None:
    turns = conversation(*parts)
    cut = cut_to_fit(turns, most, lengths, overlap=1)
    for window, used in zip(cut.windows, cut.used, strict=True):
        if used.start:
            last = max(place for place, turn in enumerate(window) if turn.train)
            first = min(place for place, turn in enumerate(window) if turn.train)
            # Another turn of context would not have fitted beside the first trained one, and the others share it.
            assert length([turns[used.start - 1], *window[: first + 1]]) > most
            assert last == len(window) - 1


def test_a_window_says_which_turns_it_holds_and_how_long_it_is() -> None:
    turns = conversation(*(("AB"[n % 2], f"{n:02}") for n in range(40)))
    cut = cut_to_fit(turns, length(turns[:10]), lengths)
    for window, used, tokens in zip(cut.windows, cut.used, cut.tokens, strict=True):
        assert [turn.value for turn in window] == [turns[index].value for index in used]
        assert tokens == length(window)
