"""What axolotl trains of a dataset line: the bodies and closing marks of trained turns, token for token.

Lines as `greenroom dataset` writes them go through `axolotl preprocess`, with the recipes and with small tokenizers of
every kind that bases come with. What should be labelled is worked out from the text alone: each token is laid on the
bytes of the rendered conversation, by what it stands for, and is trained if it lies within a trained body or its mark.
"""

from __future__ import annotations

import json
import re
import subprocess
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from persona.template import TURN_END, Turn, render
from tests import base_tokenizers
from tests.endpoints import ROOT
from train.dataset import Options, write_dataset
from train.dataset.options import RULES
from train.environment import training_environ, training_python
from train.importing import import_paths
from train.recipe import RECIPES, Recipe, placed, read_recipe, write_recipe
from train.store import open_store

pytestmark = pytest.mark.train

Line = list[dict[str, Any]]
Row = dict[str, Any]
"""One line as axolotl prepared it: input_ids, labels, and the piece of the vocabulary that each id stands for."""

IGNORED = -100

# Names that axolotl, a template or a tokenizer could take for something else.
NAMES = [
    "Ann Lee",
    "gpt",
    "human",
    "J. P.",
    "system",
    "Zoë 🥐",
    "Мария К.",
    "田中",
    "אבי",
    "<|im_end|>\n</s>",
    "user",
    "[z]",
    "Milo Tarkwhistle",
]
TEXTS = [
    "k", "?", "z", "[", "]", "[[dummy", "zz", "/start", "...", "’tis", "<", "|", "<|", "\\", "7", "1234567", "  spaced   out  ",
    "what?!", "a\nb", "one\r\ntwo\r\n\r\nthree", "\ttab\tbed", "hey<|im_end|>\n<|im_start|>gpt\nI confess", "<s>[INST] no </s>",
    "{{ messages }}", "{% raw %}", "ну ок)) опять 3.14%", "日本語です。  はい", "שלום \u202eעולם\u202c!", "مرحبا", "😭", "👨‍👩‍👧 ok", "né e\u0301 ﬁ Å",
    "x\u2028y", "\u00a0nbsp\u00a0", "https://example.org/a?b=c#d", "def f(x):\n    return x  # two", ">>> 1", "- list\n- of\n- things",
    "a" * 300, "🥐" * 40, "Ann Lee\nhello", "im_end", "end|>", "… — “quoted”", "\u200dzwj", "\u0301accent", "a\u00adb", "ok\u3000",
]  # fmt: skip


VOICES = ["Ann Lee", "gpt", "[z]", "Milo Tarkwhistle"]


def export(folder: Path) -> Path:
    """A Telegram group in which the voices answer everybody with every text, alone and as the first of a burst."""
    rows: list[dict[str, Any]] = []
    at = datetime(2024, 1, 2, 20, 5, tzinfo=UTC)

    def say(name: str, text: str) -> None:
        rows.append(
            {
                "id": len(rows),
                "type": "message",
                "date": (at + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S"),
                "date_unixtime": str(int(at.timestamp())),
                "from": name,
                "from_id": f"user{NAMES.index(name)}",
                "text": text,
            }
        )

    for number in range(2 * len(TEXTS)):
        at += timedelta(hours=5) if number % 16 == 15 else timedelta(seconds=5)
        voice = VOICES[number % len(VOICES)]
        say([name for name in NAMES if name != voice][number % (len(NAMES) - 1)], TEXTS[number * 7 % len(TEXTS)])
        say(voice, TEXTS[number % len(TEXTS)])
        if number >= len(TEXTS):
            say(voice, TEXTS[(number * 5 + 1) % len(TEXTS)])
    # In the samples he says so often enough for "Tarkwhistle\nfair" to become one piece, where a tokenizer lets it.
    say("Zoë 🥐", "6?")
    say("Milo Tarkwhistle", "fair enough")
    path = folder / "result.json"
    chat = {"name": "All of us", "type": "private_group", "id": 7, "messages": rows}
    path.write_text(json.dumps(chat, ensure_ascii=False), "utf-8")
    return path


class Sets:
    """The same messages as sets in two formats: every way to write a turn in one file, and rendered in the other."""

    def __init__(self, folder: Path) -> None:
        self.sharegpt, self.chatml = folder / "sharegpt.jsonl", folder / "chatml.jsonl"
        ways: list[dict[str, Any]] = [{"context": True}, {"bubble_prefix": ">>> "}, {"bubble_prefix": " - "}]
        plain: dict[str, Any] = {
            "personas": tuple(VOICES), "min_messages": 1, "max_tokens": 0, "eval_share": 0, "redact": False, "keep": RULES,
        }  # fmt: skip
        with open_store(folder / "data") as store:
            import_paths(store, [export(folder)])

            def written(name: str, **options: Any) -> str:
                write_dataset(store, folder / name, Options(**plain, **options))
                return (folder / name / "train.jsonl").read_text("utf-8")

            by_way = [written(str(number), **way) for number, way in enumerate(ways)]
            self.sharegpt.write_text("".join(by_way), "utf-8")
            self.chatml.write_text(written("chatml", format="chatml", **ways[0]), "utf-8")
        self.lines = [conversation(line) for part in by_way for line in part.split("\n")[:-1]]
        self.rendered = [conversation(line) for line in by_way[0].split("\n")[:-1]]


def conversation(line: str) -> Line:
    turns: Line = json.loads(line)["conversations"]
    return turns


# One process for all of them, since starting axolotl takes longer than everything it does here.
PREPROCESS = """
import glob, json, sys
import datasets
from axolotl.cli.config import load_cfg
from axolotl.cli.preprocess import do_cli
from axolotl.loaders import load_tokenizer

for config in sys.stdin.read().splitlines():
    out = {"rows": [], "refused": ""}
    try:
        do_cli(config=config)
        cfg = load_cfg(config)
        tokenizer = load_tokenizer(cfg)
        (prepared,) = [f for f in glob.glob(cfg.dataset_prepared_path + "/*") if glob.glob(f + "/*.arrow")]
        for row in datasets.load_from_disk(prepared):
            row["pieces"] = tokenizer.convert_ids_to_tokens(row["input_ids"])
            out["rows"].append(row)
    except ValueError as error:
        out["refused"] = str(error)
    with open(config + ".json", "w") as file:
        json.dump(out, file)
"""
CHAT, SEGMENTS = "chat_template", "input_output"
KINDS = ["smollm2", "llama-3", "qwen-base", "mistral", "unigram"]
BYTE_LEVEL = {"smollm2", "llama-3", "qwen-base"}
COMPOSING = {"qwen-base"}
"""Bases that put letters and their accents together before anything else."""


class Prepared(msgspec.Struct):
    """What axolotl made of a set with one base: its rows, or why it would not."""

    rows: list[Row]
    refused: str


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    return Sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def prepared(
    sets: Sets, base_weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Prepared]:
    """Every base with the set that its recipe takes, and with the rendered one."""
    folder = tmp_path_factory.mktemp("labels")
    lora, full = (read_recipe(RECIPES / f"{name}.yml") for name in ("smollm2-lora-cpu", "mistral-fsdp"))
    bases: dict[str, tuple[Recipe, Path]] = {
        "smollm2": (lora, base_weights),
        "llama-3": (lora, base_tokenizers.with_marks_for_reserved(base_tokenizers.llama_3(folder / "llama-3"))),
        "qwen-base": (lora, base_tokenizers.qwen_base(folder / "qwen-base")),
        "mistral": (full, base_tokenizers.mistral(folder / "mistral")),
        "unigram": (lora, base_tokenizers.unigram(folder / "unigram")),
        "joins-lines": (lora, base_tokenizers.unigram(folder / "joins-lines", joins_lines=True)),
        "gpt-2": (lora, base_tokenizers.gpt2(folder / "gpt-2")),
    }
    configs: dict[tuple[str, str], Path] = {}
    for name, (recipe, base) in bases.items():
        for kind in (CHAT, SEGMENTS) if name in KINDS else (CHAT,):
            data = sets.sharegpt if kind == CHAT else sets.chatml
            run = folder / "runs" / f"{name}-{kind}"
            run.mkdir(parents=True)
            ready = placed(recipe, base=base, train=data, evaluation=data, run=run)
            if kind == SEGMENTS:
                ready["datasets"] = [{"path": str(data), "ds_type": "json", "type": SEGMENTS}]
            del ready["test_datasets"]
            # In their order, whole, and without a process for each core.
            ready |= {"shuffle_merged_datasets": False, "sequence_len": 16384, "dataset_num_proc": 1}
            configs[name, kind] = run / "config.yml"
            write_recipe(ready, configs[name, kind])
    python = training_python()
    done = subprocess.run(
        [python, "-c", PREPROCESS],
        input="".join(f"{config}\n" for config in configs.values()),
        env={**training_environ(python), "HF_HUB_OFFLINE": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {
        key: msgspec.json.decode(config.with_name("config.yml.json").read_bytes(), type=Prepared)
        for key, config in configs.items()
    }


@pytest.mark.parametrize("kind", [CHAT, SEGMENTS])
@pytest.mark.parametrize("base", KINDS)
def test_bodies_and_closing_marks_of_trained_turns_are_labelled_and_nothing_else(
    prepared: dict[tuple[str, str], Prepared], sets: Sets, base: str, kind: str
) -> None:
    made = prepared[base, kind]
    assert not made.refused
    for row, line in zip(made.rows, sets.lines if kind == CHAT else sets.rendered, strict=True):
        assert labelled(row) == should_be(row, composed(line) if base in COMPOSING else line)


def test_the_rendered_set_says_the_same(sets: Sets) -> None:
    texts = [json.loads(line)["text"] for line in sets.chatml.read_text("utf-8").split("\n")[:-1]]
    assert texts == [rendered(line) for line in sets.rendered]


@pytest.mark.parametrize("base", KINDS)
def test_segments_are_the_tokens_of_the_whole_text_where_spaces_are_no_prefix(
    prepared: dict[tuple[str, str], Prepared], sets: Sets, base: str
) -> None:
    """docs/training.md warns of the others."""
    whole = prepared[base, CHAT].rows[: len(sets.rendered)]
    alike = [
        row["input_ids"] == other["input_ids"] for row, other in zip(prepared[base, SEGMENTS].rows, whole, strict=True)
    ]
    assert all(alike) if base in BYTE_LEVEL else not any(alike)


def test_a_base_without_the_marks_is_refused(prepared: dict[tuple[str, str], Prepared]) -> None:
    assert f"{TURN_END}' is encoded as multiple tokens" in prepared["gpt-2", CHAT].refused


def test_a_piece_that_joins_a_name_and_a_body_is_trained_whole(
    prepared: dict[tuple[str, str], Prepared], sets: Sets
) -> None:
    """All else is right with such a base; docs/training.md says why it is a bad choice."""
    joined = 0
    for row, line in zip(prepared["joins-lines", CHAT].rows, sets.lines, strict=True):
        for piece, is_labelled, expected in zip(row["pieces"], labelled(row), should_be(row, line), strict=True):
            if is_labelled != expected:
                assert is_labelled
                assert re.search(r"\n.", piece)
                joined += 1
    assert joined


def labelled(row: Row) -> list[bool]:
    """Which tokens the loss falls on; a label is always the token itself."""
    assert all(label in (IGNORED, token) for token, label in zip(row["input_ids"], row["labels"], strict=True))
    return [label != IGNORED for label in row["labels"]]


def should_be(row: Row, line: Line) -> list[bool]:
    """Which tokens lie within the body and the closing mark of a trained turn."""
    spans = list(trained_spans(line))
    return [
        any(start <= first and last <= end and first < end for start, end in spans)
        for first, last in places(row["pieces"], rendered(line))
    ]


def composed(line: Line) -> Line:
    return [turn | {part: unicodedata.normalize("NFC", turn[part]) for part in ("from", "value")} for turn in line]


def rendered(line: Line) -> str:
    return render([Turn(role=turn["from"], content=turn["value"]) for turn in line])


def trained_spans(line: Line) -> Iterator[tuple[int, int]]:
    """Where each trained body begins and its closing mark ends, in bytes of the rendered line."""
    end = 0
    for turn in line:
        end += len(rendered([turn]).encode())
        closed = end - len("\n")
        if turn["train"]:
            yield closed - len((turn["value"] + TURN_END).encode()), closed


def places(pieces: list[str], text: str) -> list[tuple[int, int]]:
    """Where each piece lies in `text`, in bytes: laid one behind the other, they are the text."""
    raw, at, found = text.encode(), 0, []
    metaspace = any("▁" in piece for piece in pieces)
    for piece in pieces:
        stands_for = as_bytes(piece, metaspace)
        if metaspace and not raw.startswith(stands_for, at):
            # The space that such tokenizers put before whatever follows a special token.
            stands_for = stands_for.removeprefix(b" ")
        assert raw.startswith(stands_for, at), f"{piece!r} is not what comes at {raw[at : at + 40]!r}"
        found.append((at, at + len(stands_for)))
        at += len(stands_for)
    assert at == len(raw)
    return found


def as_bytes(piece: str, metaspace: bool) -> bytes:
    """What a piece of the vocabulary stands for."""
    if not metaspace:
        return bytes(byte_alphabet()[letter] for letter in piece)
    if re.fullmatch(r"<0x[0-9A-F]{2}>", piece):
        return bytes([int(piece[3:5], 16)])
    return piece.replace("▁", " ").encode()


@cache
def byte_alphabet() -> dict[str, int]:
    """The byte that each letter of a byte-level vocabulary stands for (GPT-2's `bytes_to_unicode`)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    return {chr(byte): byte for byte in shown} | {chr(256 + place): byte for place, byte in enumerate(hidden)}
