"""What stands in the way of a recipe is said before anything runs, with the setting that helps."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints import ROOT
from tests.train.test_estimate import FSDP, LORA, MISTRAL, chats
from train.checks import Finding, dataset, environment, room, served, stopped
from train.devices import GIB, Device, named
from train.estimate import estimate
from train.set_stats import SetStats

VERSIONS = {"axolotl": "0.19.0", "torch": "2.13.0", "peft": "0.20.0", "bitsandbytes": "0.48", "kernels": "0.15"}
CPU = Device("cpu", 24 * GIB, 0.1, bf16=False)
ON_CPU = {"plugins": ["train.axolotl_cpu.CpuPlugin"], "adapter": "lora"}
TWO = SetStats((20, 30), (10,), "tests")


def stops(findings: Any) -> str:
    return " | ".join(str(one) for one in findings if one.level == "stop")


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (LORA, "needs an NVIDIA GPU (load_in_4bit, bf16)"),
        (FSDP, "FSDP, bf16"),
        ({"adapter": "lora", "attn_implementation": "flash_attention_2"}, "flash attention"),
        ({"adapter": "lora"}, "no CPU plugin in it"),
        ({**ON_CPU, "load_in_4bit": True}, "load_in_4bit"),
    ],
)
def test_what_needs_a_gpu_says_which_settings_do(recipe: dict[str, Any], said: str) -> None:
    found = stops(environment(recipe, VERSIONS, CPU))
    assert said in found
    assert "smollm2-lora-cpu" in found


def test_the_cpu_recipe_runs_without_a_gpu() -> None:
    assert not stops(environment(ON_CPU, VERSIONS, CPU))


@pytest.mark.parametrize(
    ("change", "versions", "card", "said"),
    [
        ({}, {"torch": "2.13.0+cpu"}, "rtx3090", "built without CUDA"),
        ({}, {"bitsandbytes": None}, "rtx3090", "pip install bitsandbytes"),
        ({"load_in_4bit": False, "optimizer": "adamw_bnb_8bit"}, {"bitsandbytes": None}, "a100-80", "bitsandbytes"),
        ({}, {}, "t4", "Set bf16: false and fp16: true"),
        ({"attn_implementation": "flash_attention_2"}, {"kernels": None}, "h100", "attn_implementation: sdpa"),
        ({"plugins": ["axolotl.integrations.liger.LigerPlugin"]}, {}, "h100", "pip install liger-kernel"),
        ({"deepspeed": "zero3.json"}, {}, "h100", "pip install deepspeed"),
    ],
)
def test_what_is_missing_beside_axolotl_is_named(
    change: dict[str, Any], versions: dict[str, str | None], card: str, said: str
) -> None:
    there = {name: version for name, version in {**VERSIONS, **versions}.items() if version}
    assert said in stops(environment({**LORA, **change}, there, named(card)))


def test_another_axolotl_than_the_tested_one_is_a_warning() -> None:
    (found, *_) = environment(ON_CPU, {**VERSIONS, "axolotl": "0.21.1"}, CPU)
    assert (found.level, "0.21.1" in found.what, "0.19" in found.hint) == ("warning", True, True)


@pytest.mark.parametrize(
    "change",
    [
        {"peft_use_dora": True},
        {"lora_modules_to_save": ["embed_tokens"]},
        {"lora_rank_pattern": {"q_proj": 4}},
        {"tokens": ["<|im_start|>"]},
        {"adapter": "ia3"},
    ],
)
def test_an_adapter_that_no_engine_serves_is_stopped_before_it_is_trained(change: dict[str, Any]) -> None:
    assert not stops(served(LORA))
    assert not stops(served({**FSDP, "tokens": ["<|im_start|>"]}))
    assert "cannot serve" in stops(served({**LORA, **change}))


def test_a_set_of_one_session_is_stopped_before_axolotl_crashes_on_it() -> None:
    assert "single session" in stops(dataset(LORA, SetStats((20,)), {"Bo": 1}, 0, False))
    assert not stops(dataset(LORA, TWO, {"Bo": 2}, 0, False))


def test_sessions_that_axolotl_would_drop_without_a_word_are_counted() -> None:
    found = list(dataset({**LORA, "sequence_len": 25}, TWO, {"Bo": 2}, 0, False))
    assert [one.level for one in found] == ["warning"]
    assert "1 of 2 sessions are longer than sequence_len 25 (the longest 30 tokens)" in found[0].what
    assert "--max-tokens 25" in found[0].hint
    assert "2 of 2" in stops(dataset({**LORA, "sequence_len": 15}, TWO, {"Bo": 2}, 0, False))
    cut = dataset({**LORA, "sequence_len": 15, "excess_length_strategy": "truncate"}, TWO, {"Bo": 2}, 0, False)
    assert not stops(cut)


def test_a_held_out_set_that_would_be_dropped_whole_is_stopped() -> None:
    assert "held-out" in stops(dataset({**LORA, "sequence_len": 25}, SetStats((20, 20), (30, 40)), {"Bo": 2}, 0, False))


def test_a_sequence_longer_than_the_models_context_is_stopped() -> None:
    found = stops(dataset({**LORA, "sequence_len": 4096}, TWO, {"Bo": 2}, 2048, False))
    assert "sequence_len 4096 is more than the base's 2048. Set sequence_len: 2048" in found


def test_two_people_with_one_id_and_a_person_with_one_session_are_named() -> None:
    assert "'Bo.' and 'bo'" in stops(dataset(LORA, TWO, {"Bo.": 2, "bo": 2}, 0, False))
    assert "Ann is trained in a single session" in stops(dataset(LORA, TWO, {"Bo": 2, "Ann": 1}, 0, True))
    assert "trains every weight" in stops(dataset(FSDP, TWO, {"Bo": 2}, 0, True))


def test_too_little_memory_names_the_first_setting_that_fits(tmp_path: Path) -> None:
    assert MISTRAL is not None
    recipe = {**LORA, "load_in_4bit": False, "adapter": "lora"}
    card, stats = named("rtx3090"), chats(100)
    found = stops(room(recipe, estimate(recipe, MISTRAL, stats, card), MISTRAL, stats, card, tmp_path, 1))
    assert "This would fit: micro_batch_size: " in found
    settings = found.partition("would fit: ")[2].rpartition(" (")[0]
    advised = {**recipe, **{key: json.loads(value) for key, value in (one.split(": ") for one in settings.split(", "))}}
    assert estimate(advised, MISTRAL, stats, card).fits
    small = named("t4")
    full = {**FSDP, "fsdp_config": None}
    assert "smaller base" in stops(
        room(full, estimate(full, MISTRAL, stats, small), MISTRAL, stats, small, tmp_path, 1)
    )


def test_a_disk_without_room_for_the_checkpoints_is_said_with_both_numbers(tmp_path: Path) -> None:
    assert MISTRAL is not None
    recipe, card, stats = {**FSDP, "save_total_limit": 2}, named("8xa100-80"), chats(100)
    found = estimate(recipe, MISTRAL, stats, card)
    line = stops(room(recipe, found, MISTRAL, stats, card, tmp_path / "not" / "made", 1000))
    assert f"up to {found.disk_bytes * 1000 / 1e9:.1f} GB" in line
    assert "save_total_limit: 1" in line
    assert not stops(room(recipe, found, MISTRAL, stats, card, None, 1000))


def test_rare_checkpoints_of_a_long_run_are_a_warning_with_a_better_number(tmp_path: Path) -> None:
    assert MISTRAL is not None
    card, stats = named("rtx3090"), chats(15_000)
    found = list(room(LORA, estimate(LORA, MISTRAL, stats, card), MISTRAL, stats, card, tmp_path, 1))
    (warning,) = [one for one in found if "a kill can cost" in one.what]
    number = int(warning.hint.partition("saves_per_epoch: ")[2].rstrip("."))
    better = estimate({**LORA, "saves_per_epoch": number}, MISTRAL, stats, card)
    assert better.seconds_between_saves < 3600


def test_the_first_stop_is_the_error_and_counts_the_others() -> None:
    assert stopped([Finding("ok", "a"), Finding("warning", "b")]) is None
    error = stopped([Finding("stop", "no disk.", "Buy one."), Finding("stop", "no card.", "Buy one.")])
    assert str(error) == "not started: no disk. Buy one. And 1 more, above."


def command(*arguments: Any) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "scripts.cli", "train", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, cwd=ROOT)


def write_set(folder: Path, sessions: int, words: int = 3) -> Path:
    folder.mkdir()
    turns = [{"from": "Bo", "value": "aye " * words, "train": False}, {"from": "Ann", "value": "No.", "train": True}]
    for name in ("train.jsonl", "eval.jsonl"):
        (folder / name).write_text((json.dumps({"conversations": turns}) + "\n") * sessions)
    return folder


def test_check_estimates_for_a_card_that_is_not_here_and_needs_no_axolotl(tmp_path: Path) -> None:
    sets = write_set(tmp_path / "set", 3)
    done = command("mistral-fsdp", "--check", "--gpu", "8xa100-80", "--dataset", sets, "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "estimate for 8 x a100-80: 7.24 billion parameters" in done.stdout
    assert not (tmp_path / "runs").exists()


def test_gpu_without_check_a_missing_recipe_and_an_unknown_card_are_refused_in_one_line(tmp_path: Path) -> None:
    sets = write_set(tmp_path / "set", 3)
    for arguments, said in (
        (("mistral-fsdp", "--gpu", "h100"), "Give --check"),
        ((), "which recipe?"),
        (("mistral-fsdp", "--check", "--gpu", "abacus", "--dataset", sets), "no card 'abacus'"),
        (("--resume", "--data", tmp_path), "was left unfinished"),
        (("--resume", "nothing-1", "--data", tmp_path), "no run 'nothing-1'"),
    ):
        done = command(*arguments)
        assert done.returncode == 2
        assert said in done.stderr
        assert done.stderr.count("\n") == 1


def test_a_recipe_that_reads_another_kind_of_set_is_run_by_hand(tmp_path: Path) -> None:
    (tmp_path / "raw.yml").write_text("base_model: x\ndatasets:\n  - {path: a.txt, type: completion}\n")
    done = command(tmp_path / "raw.yml", "--check", "--dataset", write_set(tmp_path / "set", 3))
    assert done.returncode == 2
    assert "its type is completion. Run it by hand: axolotl train" in done.stderr


@pytest.mark.train
def test_everything_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    done = command("mistral-fsdp", "--dataset", write_set(tmp_path / "set", 1), "--data", tmp_path)
    assert done.returncode == 2
    for said in ("safetensors", "needs an NVIDIA GPU", "single session"):
        assert said in done.stdout
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "runs").exists()
