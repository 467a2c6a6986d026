"""Chunks of as many messages as fit (`--pack`)."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from persona.template import render_turn
from train.dataset import Options, write_dataset
from train.dataset.packing import packed
from train.importing import import_paths
from train.sessions import Said, Session
from train.store import Store

Write = Callable[..., Path]
Row = Callable[..., dict[str, Any]]


class Letters:
    """A tokenizer for which every character is a token."""

    name = "letters"

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]


def opening(person: int) -> int:
    return len(render_turn(str(person), ""))


def length(session: Session) -> int:
    return sum(len(render_turn(str(turn.person), "\n".join(turn.messages))) for turn in session.turns)


rows = st.lists(
    st.tuples(st.integers(0, 10**9), st.integers(1, 3), st.text("ab ", min_size=1, max_size=30)), max_size=50
)


@given(rows, st.integers(60, 300))
def test_a_chunk_holds_as_many_messages_as_fit(rows: list[tuple[int, int, str]], room: int) -> None:
    said = [Said(when, n, person, text) for n, (when, person, text) in enumerate(sorted(rows))]
    chunks = list(packed(1, said, room, Letters(), opening))
    assert [text for chunk in chunks for turn in chunk.turns for text in turn.messages] == [one.text for one in said]
    for chunk, following in itertools.pairwise(chunks):
        # One more message, as a line or as a turn of its own, would not have fitted.
        first = following.turns[0]
        more = len(first.messages[0]) + 1
        if first.person != chunk.turns[-1].person:
            more += opening(first.person)
        assert length(chunk) + len(chunk.turns) + more > room
    for chunk in chunks:
        assert length(chunk) <= room or chunk.messages == 1


def test_gaps_do_not_end_a_chunk_but_excluded_people_and_topics_do() -> None:
    def said(n: int, topic: str | None = None, part: int = 0) -> Said:
        return Said(n * 10**9, n, n % 2, f"m{n}", topic, part)

    (chunk,) = packed(1, [said(0), said(1), said(2)], 500, Letters(), opening)
    assert chunk.messages == 3
    parted = list(packed(1, [said(0), said(1), said(2, part=1)], 500, Letters(), opening))
    assert [one.messages for one in parted] == [2, 1]
    topics = list(packed(1, [said(0, "A"), said(1, "B"), said(2, "A")], 500, Letters(), opening))
    assert sorted(one.messages for one in topics) == [1, 2]


def test_a_packed_set_has_lines_of_at_most_so_many_tokens(
    store: Store, tmp_path: Path, telegram_chat: Write, telegram_row: Row
) -> None:
    import_paths(
        store,
        [telegram_chat([telegram_row(n, ("Bob", "Alice")[n % 2], f"day {n}", at=n * 86_400) for n in range(300)])],
    )
    for context in (False, True):
        options = Options(("Alice",), min_messages=1, pack=200, context=context, eval_share=0.1, redact=False)
        (written,) = write_dataset(store, tmp_path / "out", options, counter=Letters(), force=True)
        sets = [
            [json.loads(row)["conversations"] for row in (tmp_path / "out" / f"{name}.jsonl").read_text().splitlines()]
            for name in ("train", "eval")
        ]
        for line in sets[0] + sets[1]:
            assert sum(len(render_turn(turn["from"], turn["value"])) for turn in line) <= 200
            assert next(turn["train"] for turn in line if turn["from"] != "system") is False
        assert 10 <= written.evaluated["Alice"] <= 18
        said = [turn["value"] for line in sets[0] + sets[1] for turn in line if turn["from"] != "system"]
        assert len(said) == len(set(said)), "chunks do not overlap"
