"""Small tokenizers of every kind that base models come with, trained on the sample exports, as model folders.

Only what decides where one token ends and the next begins is like the real ones; there are no weights.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from persona.template import TURN_END, TURN_START
from tests.endpoints import ROOT

# How Llama 3 cuts text before merging, digits and line breaks included.
_LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_VOCABULARY = 2000
_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]
_SENTENCE = ["<unk>", "<s>", "</s>"]


@cache
def sample_texts() -> tuple[str, ...]:
    """Every plain message of the sample cast's Telegram export, some of them below their speaker's name."""
    export = json.loads((ROOT / "samples" / "exports" / "telegram" / "result.json").read_text("utf-8"))
    messages = [message for chat in export["chats"]["list"] for message in chat["messages"]]
    said = [(str(m.get("from")), m["text"]) for m in messages if isinstance(m.get("text"), str) and m["text"]]
    return tuple(text for _, text in said) + tuple(f"{name}\n{text}\n" for name, text in said[::5])


def gpt2(folder: Path) -> Path:
    """Byte-level BPE that knows nothing of ChatML, with GPT-2's own cut and end of text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.decoder = decoders.ByteLevel()
    _train_bpe(tokenizer, ["<|endoftext|>"], sample_texts(), alphabet=pre_tokenizers.ByteLevel.alphabet())
    return _write(tokenizer, folder, "llama", {"eos_token": "<|endoftext|>"})


def llama_3(folder: Path) -> Path:
    """Byte-level BPE with reserved tokens that nothing uses yet."""
    special = ["<|begin_of_text|>", "<|end_of_text|>", *(f"<|reserved_special_token_{n}|>" for n in range(4))]
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    _train_bpe(tokenizer, special, sample_texts(), alphabet=pre_tokenizers.ByteLevel.alphabet())
    begin = special[0]
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(f"{begin} $A", special_tokens=[(begin, tokenizer.token_to_id(begin))]),
        ]
    )
    return _write(tokenizer, folder, "llama", {"bos_token": begin, "eos_token": special[1]})


def with_marks_for_reserved(base: Path) -> Path:
    """The base with the names of its first two reserved tokens changed to ChatML's marks, as docs/training.md says."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (base / name).read_text("utf-8")
        for number, mark in enumerate((TURN_START, TURN_END)):
            text = text.replace(f"<|reserved_special_token_{number}|>", mark)
        (base / name).write_text(text, "utf-8")
    return base


def qwen_base(folder: Path) -> Path:
    """Byte-level BPE that has ChatML's marks and yet another end of sequence, and composes letters first."""
    special = ["<|endoftext|>", TURN_START, TURN_END]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_LLAMA_3), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    _train_bpe(tokenizer, special, sample_texts(), alphabet=pre_tokenizers.ByteLevel.alphabet())
    return _write(tokenizer, folder, "qwen2", {"eos_token": special[0], "pad_token": special[0]})


def mistral(folder: Path) -> Path:
    """BPE as SentencePiece makes it: metaspace, bytes for what is unknown, line breaks too, and <s> before a text."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    lines = [line for text in sample_texts() for line in text.split("\n")]
    _train_bpe(tokenizer, [*_SENTENCE, *_BYTES], lines)
    # As in the real file: it is prepended and replaced before the merges, which then run over whole texts.
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 1)])
    return _write(
        _bytes_are_no_special_tokens(tokenizer),
        folder,
        "mistral",
        {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "legacy": True},
        kind="LlamaTokenizer",
    )


def unigram(folder: Path, joins_lines: bool = False) -> Path:
    """Unigram pieces with ChatML's marks among them; `joins_lines` lets a piece go on over a line break."""
    special = [*_SENTENCE, TURN_START, TURN_END, *_BYTES]
    tokenizer = Tokenizer(models.Unigram())
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.pre_tokenizer = (
        metaspace if joins_lines else pre_tokenizers.Sequence([pre_tokenizers.Split("\n", "isolated"), metaspace])
    )
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_VOCABULARY, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(sample_texts(), trainer)
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = True
    tokenizer = _bytes_are_no_special_tokens(Tokenizer.from_str(json.dumps(state)))
    return _write(tokenizer, folder, "llama", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"})


def _train_bpe(
    tokenizer: Tokenizer, special: list[str], texts: tuple[str, ...] | list[str], alphabet: list[str] | None = None
) -> None:
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY, special_tokens=special, initial_alphabet=alphabet or [], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)


def _bytes_are_no_special_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """Trained as special ones so that they are there; in a real file they are pieces like others."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in _BYTES]
    return Tokenizer.from_str(json.dumps(state))


def _write(
    tokenizer: Tokenizer, folder: Path, family: str, settings: dict[str, Any], kind: str = "PreTrainedTokenizerFast"
) -> Path:
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    added = json.loads(tokenizer.to_str())["added_tokens"]
    decoder = {str(token["id"]): {key: token[key] for key in token if key != "id"} for token in added}
    config = {"tokenizer_class": kind, "added_tokens_decoder": decoder, "model_max_length": 100_000, **settings}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False), "utf-8")
    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = {"model_type": family, "vocab_size": tokenizer.get_vocab_size(), "num_key_value_heads": 2, **size}
    (folder / "config.json").write_text(json.dumps(model), "utf-8")
    return folder
