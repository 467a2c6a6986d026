"""Estimates: parameters from a config, memory and time compared with runs that were really made."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from persona.errors import UserError
from train.devices import CARDS, GIB, Device, named, parse_smi
from train.estimate import estimate
from train.recipe import find_recipe, read_recipe
from train.set_stats import SetStats, stats_of
from train.shape import read_config, shape_of

MISTRAL = read_config("mistralai/Mistral-7B-v0.1", [])
SMOLLM = json.loads("""{"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "vocab_size": 49152,
    "num_attention_heads": 9, "num_key_value_heads": 3, "tie_word_embeddings": true, "max_position_embeddings": 8192}""")
LORA: dict[str, Any] = {
    "adapter": "lora", "load_in_4bit": True, "lora_r": 32, "lora_target_linear": True, "lora_dropout": 0.05,
    "sequence_len": 1024, "micro_batch_size": 8, "gradient_accumulation_steps": 2, "num_epochs": 3, "bf16": True,
    "gradient_checkpointing": True, "attn_implementation": "eager", "optimizer": "adamw_torch",
}  # fmt: skip
FSDP: dict[str, Any] = {
    "sequence_len": 1024, "micro_batch_size": 2, "gradient_accumulation_steps": 4, "num_epochs": 3, "bf16": True,
    "fsdp_config": {"reshard_after_forward": True}, "attn_implementation": "eager", "optimizer": "adamw_torch",
}  # fmt: skip


def chats(sessions: int) -> SetStats:
    """Sessions of half a row in the middle, from a tenth of one to a whole one."""
    lengths = random.Random(1)
    return SetStats(tuple(min(1024, max(100, round(lengths.gauss(512, 200)))) for _ in range(sessions)))


def config(base: str) -> Any:
    found = read_config(base, [])
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("base", "parameters"),
    [
        ("mistralai/Mistral-7B-v0.1", 7_241_732_096),
        ("meta-llama/Llama-2-7b-hf", 6_738_415_616),
        ("meta-llama/Llama-2-13b-hf", 13_015_864_320),
        ("Qwen/Qwen3-8B", 8_190_735_360),
        ("Qwen/Qwen3-4B", 4_022_468_096),
        ("utter-project/EuroLLM-9B-Instruct", 9_152_000_000),
    ],
)
def test_parameters_are_those_that_the_makers_publish(base: str, parameters: int) -> None:
    assert shape_of(config(base)).parameters == pytest.approx(parameters, rel=1e-3)


def test_a_small_tied_model_and_one_of_experts_are_counted_right() -> None:
    assert shape_of(SMOLLM).parameters == 134_515_008
    # Mixtral 8x7B: 46.7 billion, of which a token meets 12.9.
    mixtral = shape_of({**config("mistral-7b"), "num_local_experts": 8, "num_experts_per_tok": 2})
    assert mixtral.parameters == pytest.approx(46.7e9, rel=0.01)
    assert mixtral.layers * mixtral.active_layer + 2 * mixtral.embedding == pytest.approx(12.9e9, rel=0.01)


def test_the_text_part_of_a_model_that_sees_is_found_under_text_config() -> None:
    assert shape_of({"model_type": "sees", "text_config": SMOLLM}).parameters == 134_515_008


def test_a_config_that_says_too_little_is_refused_by_the_missing_key() -> None:
    with pytest.raises(UserError, match="num_hidden_layers"):
        shape_of({"hidden_size": 8, "num_attention_heads": 2})


def test_a_setting_that_is_no_number_is_named() -> None:
    with pytest.raises(UserError, match="lora_r is 'many'"):
        estimate({**LORA, "lora_r": "many"}, config("mistral-7b"), SetStats((100,)), named("rtx3090"))


def test_what_lora_trains_is_counted_by_target_and_layer() -> None:
    assert MISTRAL is not None
    stats = SetStats((100,))
    trained = estimate({**LORA, "lora_r": 16}, MISTRAL, stats, named("rtx3090")).trained
    assert trained == 41_943_040  # what PEFT prints for rank 16 on all linear layers of Mistral 7B
    some = {"lora_target_linear": False, "lora_target_modules": ["q_proj", "v_proj"], "lora_r": 8}
    assert estimate({**LORA, **some}, MISTRAL, stats, named("rtx3090")).trained == 3_407_872
    upper = {**some, "peft_layers_to_transform": list(range(16, 32))}
    assert estimate({**LORA, **upper}, MISTRAL, stats, named("rtx3090")).trained == 3_407_872 // 2


def test_the_seeds_4bit_lora_of_7b_took_20_gb_on_one_rtx_3090() -> None:
    assert MISTRAL is not None
    found = estimate(LORA, MISTRAL, chats(1000), named("rtx3090"))
    assert found.memory_bytes == pytest.approx(20e9, rel=0.25)
    assert found.fits


def test_the_seeds_full_fine_tune_took_63_gb_on_each_of_eight_a100s_and_20_minutes() -> None:
    assert MISTRAL is not None
    found = estimate(FSDP, MISTRAL, chats(15_789), named("8xa100-80"))
    assert found.memory_bytes == pytest.approx(63e9, rel=0.25)
    assert 10 * 60 < found.seconds < 40 * 60
    assert found.fits
    # and the same on one card could not be
    assert not estimate({**FSDP, "fsdp_config": None}, MISTRAL, chats(15_789), named("a100-40")).fits


def test_a_run_on_one_processor_thread_took_what_is_estimated() -> None:
    """SmolLM2 135M on 24 sessions of 7,424 tokens, in float32: 397 s of training and 2,406 MiB at the most.

    One thread of a busy machine, whose float32 matrix product `matmul_tflops` measured at 0.033 before the start.
    """
    device = Device("cpu", 24 * GIB, 0.033, bf16=False)
    stats = SetStats((488, *[301] * 22, 314), (300, 300))
    recipe = {
        "plugins": ["train.axolotl_cpu.CpuPlugin"], "sequence_len": 1024, "adapter": "lora", "lora_r": 4,
        "lora_target_modules": ["v_proj", "o_proj", "up_proj", "down_proj"],
        "peft_layers_to_transform": list(range(12, 30)), "micro_batch_size": 1, "gradient_accumulation_steps": 2,
        "num_epochs": 2, "evals_per_epoch": 1, "test_datasets": [{}],
    }  # fmt: skip
    found = estimate(recipe, SMOLLM, stats, device)
    assert found.tokens == 2 * 7424
    assert found.steps == 24
    assert found.memory_bytes == pytest.approx(2406 << 20, rel=0.25)
    assert 397 / 2 < found.seconds < 397 * 2


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"micro_batch_size": 4}, "activations"),
        ({"micro_batch_size": 4}, "logits"),
        ({"attn_implementation": "flash_attention_2"}, "activations"),
        ({"optimizer": "adamw_bnb_8bit"}, "optimizer"),
        ({"lora_r": 8}, "adapter"),
    ],
)
def test_the_settings_that_an_error_advises_do_lower_the_memory(change: dict[str, Any], part: str) -> None:
    assert MISTRAL is not None
    before = estimate(LORA, MISTRAL, chats(100), named("rtx3090"))
    after = estimate({**LORA, **change}, MISTRAL, chats(100), named("rtx3090"))
    assert after.memory[part] < before.memory[part]
    assert after.memory_bytes < before.memory_bytes


def test_packing_pads_less_than_batches_by_length() -> None:
    assert MISTRAL is not None
    batches = estimate({**LORA, "micro_batch_size": 8}, MISTRAL, chats(1000), named("a100-80"))
    packed = estimate({**LORA, "sample_packing": True}, MISTRAL, chats(1000), named("a100-80"))
    padded = estimate({**LORA, "pad_to_sequence_len": True}, MISTRAL, chats(1000), named("a100-80"))
    assert batches.tokens == packed.tokens == padded.tokens
    assert packed.tokens < packed.computed_tokens < batches.computed_tokens < padded.computed_tokens == 3 * 1024 * 1000
    assert packed.seconds < batches.seconds < padded.seconds


def test_steps_are_rows_by_batch_cards_and_epochs() -> None:
    assert MISTRAL is not None
    assert estimate(FSDP, MISTRAL, chats(64 * 10), named("8xa100-80")).steps == 30
    assert estimate({**FSDP, "max_steps": 7}, MISTRAL, chats(64 * 10), named("8xa100-80")).steps == 7


def test_every_card_of_the_table_is_named_by_itself_and_in_numbers() -> None:
    for name, card in CARDS.items():
        assert named(name.upper()) == card
        assert named(f"4x{name}").count == 4
    with pytest.raises(UserError, match=r"rtx9999.*rtx3090"):
        named("rtx9999")


def test_what_nvidia_smi_prints_becomes_cards_with_their_own_memory() -> None:
    listing = "NVIDIA GeForce RTX 3090, 24576, 8.6\nTesla T4, 15360, 7.5\nNVIDIA A100-SXM4-40GB, 40960, 8.0\nFuture X1, 1024, 12.0\n"
    cards = parse_smi(listing)
    assert [(card.name, card.memory >> 20, card.bf16) for card in cards] == [
        ("rtx3090", 24576, True),
        ("t4", 15360, False),
        ("a100-80", 40960, True),
        ("Future X1", 1024, True),
    ]
    assert MISTRAL is not None
    assert estimate(LORA, MISTRAL, chats(10), cards[3]).seconds == 0


def test_every_recipe_can_be_estimated_for_every_card() -> None:
    for path in sorted(find_recipe("mistral-fsdp").parent.glob("*.yml")):
        recipe = read_recipe(path)
        base = read_config(recipe["base_model"], []) or SMOLLM
        for card in CARDS.values():
            assert estimate(recipe, base, chats(50), card).memory_bytes > 0, path


def test_a_sets_lengths_are_those_of_the_rendered_prompt() -> None:
    class Characters:
        name = "characters"

        def count(self, texts: Any) -> list[int]:
            return [len(text) for text in texts]

    stats = stats_of([[{"from": "Bo", "value": "aye"}]], [], Characters())
    assert stats.lengths == (len("<|im_start|>Bo\naye<|im_end|>\n"),)
    assert (stats.sessions, stats.longer_than(29), stats.longer_than(28)) == (1, 0, 1)


def test_a_config_beside_the_weights_is_read_before_the_table(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMOLLM))
    found = read_config("mistralai/Mistral-7B-v0.1", [tmp_path])
    assert found == SMOLLM
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json cannot be read"):
        read_config("x", [tmp_path])
    assert read_config("nobody/knows-this", []) is None
