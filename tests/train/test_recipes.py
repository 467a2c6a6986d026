"""Every recipe is what axolotl takes, trains what it should, and makes an adapter that an engine can serve.

axolotl itself reads each file, with tiny random weights of the base's architecture in the place of billions, and a
small tokenizer of the base's kind.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from safetensors import safe_open
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from persona.errors import UserError
from persona.template import TURN_END, TURN_START
from tests.endpoints import ROOT
from train.chatml_tokens import with_chatml_tokens
from train.environment import training_environ, training_python
from train.raw_text import pieces, write_texts
from train.recipe import RECIPES, find_recipe, placed, read_recipe, write_recipe

NAMES = sorted(path.stem for path in RECIPES.glob("*.yml"))
SWEEPS = sorted((RECIPES / "sweeps").glob("*.yml"))
EMBEDDINGS = {"model.embed_tokens.weight", "lm_head.weight"}


@dataclass(frozen=True)
class Base:
    """What a recipe's base looks like: its architecture, and the kind and special tokens of its tokenizer."""

    architecture: str
    kind: str = "sentencepiece"
    special: tuple[str, ...] = ()
    ends: str = "</s>"
    respelled: bool = False
    layers: int = 2


MARKS = (TURN_START, TURN_END)
BASES = {
    "dolphin-mistral-lora": Base("mistral", special=MARKS, ends=TURN_END),
    "eurollm-9b-lora": Base("llama", special=MARKS, ends=TURN_END),
    "llama2-13b-qlora": Base("llama", respelled=True),
    "llama2-7b-qlora": Base("llama", respelled=True),
    "mistral-fsdp": Base("mistral"),
    "pretrain-completion": Base("mistral"),
    "qwen3-8b-lora": Base("qwen3", "bytes", ("<|endoftext|>", *MARKS), ends="<|endoftext|>"),
    "smollm2-lora-cpu": Base("llama", "bytes", ("<|endoftext|>", *MARKS), ends=TURN_END, layers=30),
}

# What a CPU cannot do, undone: 4-bit weights, flash attention and what needs it, CUDA's kernels and optimizers, FSDP.
ON_A_CPU: dict[str, Any] = {
    "plugins": ["train.axolotl_cpu.CpuPlugin"],
    "load_in_4bit": False,
    "attn_implementation": "sdpa",
    "sample_packing": False,
    "pad_to_sequence_len": False,
    "lora_mlp_kernel": False,
    "lora_qkv_kernel": False,
    "lora_o_kernel": False,
    "optimizer": "adamw_torch",
    "tf32": False,
    "max_steps": 1,
    "gradient_accumulation_steps": 1,
    "micro_batch_size": 1,
}
NOT_ON_A_CPU = {"fsdp_config", "fsdp_version", "bnb_config_kwargs", "evals_per_epoch", "saves_per_epoch"}

TALK = [
    ("system", "Ann and Bo, Monday evening", False),
    ("Ann", "where are you?\nhello??", False),
    ("Bo", "aye aye captain", True),
    ("human", "and who asked", False),
    ("Bo", "aye\nnobody, я сам", True),
]
CHATS = {"conversations": [{"from": who, "value": what, "train": train} for who, what, train in TALK]}
TEXT = {"text": "It was a dark and stormy night. " * 8 + "Шёл дождь."}


# Of the files themselves.


def body(name: str) -> list[str]:
    return (RECIPES / f"{name}.yml").read_text("utf-8").splitlines()


def test_every_recipe_is_tested_here() -> None:
    assert sorted(BASES) == NAMES


@pytest.mark.parametrize("name", [*NAMES, *(f"sweeps/{path.stem}" for path in SWEEPS)])
def test_no_key_is_there_twice(name: str) -> None:
    """YAML would take the last one without a word."""

    def check(node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert sorted(keys) == sorted(set(keys))
        for child in node.value if isinstance(node, yaml.CollectionNode) else []:
            for part in child if isinstance(child, tuple) else (child,):
                check(part)

    document = yaml.compose("\n".join(body(name)), yaml.SafeLoader)
    assert document is not None
    check(document)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_begins_with_what_it_needs_and_where_it_comes_from(name: str) -> None:
    head = "\n".join(line for line in body(name)[: body(name).index("")])
    assert all(line.startswith("#") for line in head.splitlines())
    for word in ("hardware:" if name != "smollm2-lora-cpu" else "two cores", "memory", "where the values come from"):
        assert word in head.lower()
    assert re.search(r"minutes|hours", head)
    assert f"configs/{name}.yml" in head


@pytest.mark.parametrize("name", [*NAMES, *(f"sweeps/{path.stem}" for path in SWEEPS)])
def test_every_key_is_explained(name: str) -> None:
    """On its line, on the line above, or above the group it stands in; `test_datasets` repeats `datasets`."""
    lines, explained, repeated = body(name), False, False
    for before, line in zip(["", *lines], lines, strict=False):
        key = re.match(r"( *(?:- )?)([\w_]+):", line)
        if not key or "{%" in line:
            explained = line.startswith("#")
            continue
        if not key[1]:
            repeated = key[2] == "test_datasets"
        opens_a_block = line.rstrip().endswith(":")
        assert "#" in line or before.startswith("#") or repeated or opens_a_block or explained, f"{name}: {line}"


# Of axolotl's reading of them.


class Row(msgspec.Struct):
    text: str
    trained: str


class Result(msgspec.Struct):
    """What axolotl made of a recipe."""

    unknown: list[str] = []
    rows: list[Row] = []
    tokens: int = 0
    preprocessing_failed: str = ""
    training_failed: str = ""


class Ran(msgspec.Struct):
    folder: Path
    base: Path
    vocabulary: int
    result: Result


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Each recipe validated, preprocessed and trained for a step, all in one process."""
    folder = tmp_path_factory.mktemp("recipes")
    jobs, runs = [], {}
    for name, base in BASES.items():
        run = folder / name
        run.mkdir()
        made = model_folder(run / "base", base)
        vocabulary = len(json.loads((made / "tokenizer.json").read_text("utf-8"))["model"]["vocab"])
        line = TEXT if name == "pretrain-completion" else CHATS
        for part in ("train", "eval"):
            (run / f"{part}.jsonl").write_text((json.dumps(line, ensure_ascii=False) + "\n") * 4, "utf-8")
        recipe = placed(
            read_recipe(find_recipe(name)),
            base=made,
            train=run / "train.jsonl",
            evaluation=run / "eval.jsonl",
            run=run,
        )
        recipe["dataset_num_proc"] = 0
        write_recipe(recipe, run / "config.yml")
        step = {key: value for key, value in recipe.items() if key not in NOT_ON_A_CPU} | ON_A_CPU
        if "adapter" in step:
            step["adapter"] = "lora"
        write_recipe(step, run / "on_a_cpu.yml")
        jobs.append(
            {
                "config": str(run / "config.yml"),
                "on_a_cpu": str(run / "on_a_cpu.yml"),
                "base": str(made),
                "vocabulary": vocabulary,
                "architecture": base.architecture,
                "layers": base.layers,
            }
        )
        runs[name] = (run, made, vocabulary)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    python = training_python()
    done = subprocess.run(
        [python, "-m", "tests.train.axolotl_recipes", folder / "jobs.json"],
        # No workers: each would import all of axolotl again.
        env={**training_environ(python), "HF_HUB_OFFLINE": "1", "AXOLOTL_DATASET_NUM_PROC": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return {
        name: Ran(run, made, size, msgspec.json.decode((run / "config.yml.json").read_bytes(), type=Result))
        for name, (run, made, size) in runs.items()
    }


recipes = pytest.mark.parametrize("name", NAMES)
adapters = pytest.mark.parametrize("name", [name for name in NAMES if name != "mistral-fsdp"])


@pytest.mark.train
@pytest.mark.slow
@recipes
def test_axolotl_validates_it_and_knows_every_key(ran: dict[str, Ran], name: str) -> None:
    assert not ran[name].result.preprocessing_failed
    assert not ran[name].result.unknown


@pytest.mark.train
@pytest.mark.slow
@recipes
def test_axolotl_trains_what_the_recipe_is_for(ran: dict[str, Ran], name: str) -> None:
    """Bodies and closing marks of trained turns, whoever's; of raw text, all of it."""
    rows = ran[name].result.rows
    assert len(rows) == 4
    for row in rows:
        if name == "pretrain-completion":
            assert row.trained == row.text
            assert TEXT["text"] in row.text
        else:
            bodies = [what + TURN_END for _, what, train in TALK if train]
            # SentencePiece's decoder has a space after a special token, which stands for none in the text.
            assert row.trained.replace(f"{TURN_END} ", TURN_END).strip() == "".join(bodies)
            assert re.search(rf"{re.escape(TURN_START)} ?human\n", row.text), "a speaker was renamed"


@pytest.mark.train
@pytest.mark.slow
@recipes
def test_a_step_of_it_trains_on_a_cpu(ran: dict[str, Ran], name: str) -> None:
    assert not ran[name].result.training_failed
    made = "model.safetensors" if name == "mistral-fsdp" else "adapter_model.safetensors"
    assert (ran[name].folder / "out" / made).is_file()


@pytest.mark.train
@pytest.mark.slow
@adapters
def test_an_adapter_holds_nothing_that_an_engine_refuses(ran: dict[str, Ran], name: str) -> None:
    """No embeddings, no bias, no DoRA: low-rank matrices alone, in a vocabulary of the base's own size."""
    out = ran[name].folder / "out"
    with safe_open(out / "adapter_model.safetensors", "numpy") as weights:
        assert {key.rsplit(".", 2)[1] for key in weights.keys()} == {"lora_A", "lora_B"}  # noqa: SIM118
    config = json.loads((out / "adapter_config.json").read_text("utf-8"))
    assert not config["modules_to_save"]
    assert config["bias"] == "none"
    assert not config["use_dora"]
    assert ran[name].result.tokens == ran[name].vocabulary


@pytest.mark.train
@pytest.mark.slow
def test_a_full_fine_tune_has_two_tokens_more(ran: dict[str, Ran]) -> None:
    made = ran["mistral-fsdp"]
    assert made.result.tokens == made.vocabulary + 2
    with safe_open(made.folder / "out" / "model.safetensors", "numpy") as weights:
        assert {weights.get_slice(key).get_shape()[0] for key in EMBEDDINGS} == {made.vocabulary + 2}


@pytest.mark.train
@pytest.mark.slow
def test_two_machines_train_one_adapter(ran: dict[str, Ran], tmp_path: Path) -> None:
    """As docs/training.md has it, with two launchers that meet over the network: both of them on this machine."""
    recipe = read_recipe(ran["smollm2-lora-cpu"].folder / "on_a_cpu.yml") | {"output_dir": str(tmp_path / "out")}
    write_recipe(recipe, tmp_path / "config.yml")
    python = training_python()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"127.0.0.1:{free.getsockname()[1]}"
    launcher = ["--launcher", "torchrun", "--", "--nnodes", "2", "--nproc_per_node", "1"]
    command = [str(python.with_name("axolotl")), "train", str(tmp_path / "config.yml"), *launcher]
    machines = [
        subprocess.Popen(
            [*command, "--node_rank", str(rank), "--rdzv_endpoint", meeting, "--rdzv_id", "greenroom"],
            env={**training_environ(python, threads=1), "HF_HUB_OFFLINE": "1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    said = [machine.communicate(timeout=500)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said[0][-4000:]
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()


# Of a base that is given the marks.


def test_a_base_gets_the_marks_without_a_token_more(tmp_path: Path) -> None:
    before = model_folder(tmp_path / "base", Base("llama"))
    (before / "model.safetensors").write_bytes(b"weights")
    (before / "tokenizer.model").write_bytes(b"the old spelling")
    assert with_chatml_tokens(before, tmp_path / "after") == ("<s>", "</s>")
    old, new = (Tokenizer.from_file(str(folder / "tokenizer.json")) for folder in (before, tmp_path / "after"))
    assert new.get_vocab_size() == old.get_vocab_size()
    assert [new.token_to_id(mark) for mark in MARKS] == [old.token_to_id("<s>"), old.token_to_id("</s>")]
    ids = new.encode(f"{TURN_START}Ann\nwhere are you{TURN_END}\n").ids
    assert ids[0] == new.token_to_id(TURN_START)
    assert sum(number in ids[:1] + ids[-3:] for number in map(new.token_to_id, MARKS)) == 2
    # What somebody writes in a chat is no longer a special token.
    assert old.token_to_id("</s>") not in new.encode("</s><s>").ids
    assert (tmp_path / "after" / "model.safetensors").read_bytes() == b"weights"
    assert not (tmp_path / "after" / "tokenizer.model").exists()
    assert Tokenizer.from_file(str(before / "tokenizer.json")).token_to_id("<s>") is not None


@pytest.mark.parametrize(
    ("base", "said"),
    [
        (Base("llama", special=MARKS, ends=TURN_END), "has ChatML's marks already"),
        (Base("llama", "bytes", ("<|endoftext|>",), "<|endoftext|>"), "no begin and end of sequence"),
    ],
)
def test_a_base_that_cannot_or_need_not_be_given_them_says_so(tmp_path: Path, base: Base, said: str) -> None:
    with pytest.raises(UserError, match=said):
        with_chatml_tokens(model_folder(tmp_path / "base", base), tmp_path / "after")
    assert not (tmp_path / "after").exists()


def test_the_command_for_it(tmp_path: Path) -> None:
    base = model_folder(tmp_path / "models" / "tiny", Base("llama"))
    (base / "config.json").write_text("{}")
    command = [sys.executable, "-m", "scripts.cli", "model", "chatml", "tiny", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "models" / "tiny-chatml" / "tokenizer.json").is_file()
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 2
    assert "is there already" in again.stderr


# Of raw text.


def test_texts_are_cut_at_paragraphs_and_nothing_is_lost() -> None:
    paragraphs = [f"{number} " + "слово " * 40 for number in range(50)]
    cut = list(pieces("\n\n".join(paragraphs), 4000))
    assert all(len(piece.encode()) <= 4000 for piece in cut)
    assert all(re.match(r"\d+ ", piece) for piece in cut)
    assert "\n\n".join(cut).split() == "\n\n".join(paragraphs).split()


@pytest.mark.parametrize("text", ["😭" * 5000, "x" * 9999, "a b " * 3000])
def test_text_without_paragraphs_is_cut_where_it_must(text: str) -> None:
    assert "".join(pieces(text, 1000)).replace(" ", "") == text.replace(" ", "")


def test_some_text_is_held_out_even_of_one_file(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("\ufeffOne line.\r\n\r\nAnother line, a little longer.\r\n", "utf-8")
    trained, held_out = write_texts([book], tmp_path / "text", 0.02)
    assert trained >= 1
    assert held_out == 1
    first = json.loads((tmp_path / "text" / "train.jsonl").read_text("utf-8").split("\n")[0])
    assert first["text"].startswith("One line.")


def test_text_that_is_not_utf_8_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_bytes("Привет".encode("cp1251"))
    with pytest.raises(UserError, match=r"old\.txt is not UTF-8"):
        write_texts([tmp_path / "old.txt"], tmp_path / "text", 0.02)


# Bases.


def model_folder(folder: Path, base: Base) -> Path:
    """A folder with a small tokenizer of the base's kind, and no weights."""
    start = {"sentencepiece": ["<unk>", "<s>", "</s>"], "bytes": []}[base.kind]
    tokenizer = {"sentencepiece": sentencepiece, "bytes": byte_level}[base.kind]([*start, *base.special])
    into = folder.with_name(f"{folder.name}-plain") if base.respelled else folder
    into.mkdir(parents=True)
    tokenizer.save(str(into / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": base.ends, "model_max_length": 4096}
    if start:
        settings |= {"bos_token": "<s>", "unk_token": "<unk>"}
    (into / "tokenizer_config.json").write_text(json.dumps(settings))
    if base.respelled:
        with_chatml_tokens(into, folder)
    return folder


def sentencepiece(special: list[str]) -> Tokenizer:
    """As Llama 2's and Mistral's: a space before a text, line breaks and what is unknown as bytes, <s> in front."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    spaces = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer.normalizer = normalizers.Sequence(spaces)
    as_bytes = [f"<0x{byte:02X}>" for byte in range(256)]
    train(tokenizer, [*special, *as_bytes], [])
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] in special]
    state["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    made: Tokenizer = Tokenizer.from_str(json.dumps(state))
    made.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return made


def byte_level(special: list[str]) -> Tokenizer:
    """As Qwen's and SmolLM2's."""
    from tokenizers import decoders

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    train(tokenizer, special, pre_tokenizers.ByteLevel.alphabet())
    return tokenizer


def train(tokenizer: Tokenizer, special: list[str], alphabet: list[str]) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=special, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([*(what for _, what, _ in TALK), TEXT["text"], *NAMES], trainer)
