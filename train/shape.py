"""The size of a language model from its `config.json`: how many parameters, and in which matrices.

Only what an estimate of memory and time needs; nothing is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from persona.errors import UserError

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
FEED_FORWARD = ("gate_proj", "up_proj", "down_proj")
ALL_LINEAR = ATTENTION + FEED_FORWARD

# Model types whose feed-forward has two matrices, without a gate.
_UNGATED = {"gpt2", "gpt_neox", "gptj", "opt", "bloom", "mpt", "falcon", "phi", "starcoder2", "nemotron"}


class Shape(msgspec.Struct, frozen=True):
    """A decoder-only transformer, in the words of its `config.json`.

    Attributes:
        hidden: width of the residual stream.
        layers: how many blocks.
        vocabulary: rows of the embedding table.
        intermediate: width of the feed-forward (of one expert).
        heads: query heads.
        kv_heads: key and value heads; fewer than `heads` with grouped queries.
        head_dim: width of a head.
        context: the most positions the model was made for; 0 where the file does not say.
        tied: whether embeddings and output head are one matrix.
        gated: whether the feed-forward has a gate (three matrices instead of two).
        experts: feed-forwards a layer has; 1 for a dense model.
        active_experts: how many of them a token goes through.
    """

    hidden: int
    layers: int
    vocabulary: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int = 0
    tied: bool = False
    gated: bool = True
    experts: int = 1
    active_experts: int = 1

    def matrix(self, name: str) -> tuple[int, int]:
        """How many inputs and outputs the linear layer `name` (of `ALL_LINEAR`) has; (0, 0) for one it has not."""
        return {
            "q_proj": (self.hidden, self.heads * self.head_dim),
            "k_proj": (self.hidden, self.kv_heads * self.head_dim),
            "v_proj": (self.hidden, self.kv_heads * self.head_dim),
            "o_proj": (self.heads * self.head_dim, self.hidden),
            "gate_proj": (self.hidden, self.intermediate) if self.gated else (0, 0),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }.get(name, (0, 0))

    def copies(self, name: str) -> int:
        """How often a layer has the linear layer `name`: once, or once an expert."""
        return self.experts if name in FEED_FORWARD else 1

    @property
    def layer(self) -> int:
        """Parameters in the linear layers of one block."""
        sizes = ((self.matrix(name), self.copies(name)) for name in ALL_LINEAR)
        return sum(rows * columns * copies for (rows, columns), copies in sizes)

    @property
    def active_layer(self) -> int:
        """Parameters of one block that a token is multiplied with."""
        unused = self.experts - self.active_experts
        return self.layer - unused * sum(a * b for a, b in (self.matrix(name) for name in FEED_FORWARD))

    @property
    def embedding(self) -> int:
        """Parameters of the embedding table, and of the output head again."""
        return self.vocabulary * self.hidden

    @property
    def parameters(self) -> int:
        """All parameters, norms included, biases not (a thousandth of the whole at the most)."""
        norms = (2 * self.layers + 1) * self.hidden
        return self.layers * self.layer + self.embedding * (1 if self.tied else 2) + norms


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape that a `config.json` describes.

    Models that see or hear keep the part that writes under `text_config`.

    Raises:
        UserError: it does not say what an estimate needs.
    """
    text = config.get("text_config")
    said = {**config, **text} if isinstance(text, dict) else dict(config)

    def number(*names: str, default: int | None = None) -> int:
        for name in names:
            if isinstance(said.get(name), int) and said[name] > 0:
                return int(said[name])
        if default is None:
            raise UserError(f"the base's config.json does not say {names[0]}.", "Is it a decoder-only language model?")
        return default

    hidden, heads = number("hidden_size", "n_embd", "d_model"), number("num_attention_heads", "n_head", "n_heads")
    experts = number("num_local_experts", "num_experts", "n_routed_experts", default=1)
    intermediate = number("intermediate_size", "n_inner", "ffn_dim", default=4 * hidden)
    return Shape(
        hidden=hidden,
        layers=number("num_hidden_layers", "n_layer", "n_layers"),
        vocabulary=number("vocab_size"),
        intermediate=number("moe_intermediate_size", default=intermediate) if experts > 1 else intermediate,
        heads=heads,
        kv_heads=number("num_key_value_heads", default=heads),
        head_dim=number("head_dim", default=hidden // heads),
        context=number("max_position_embeddings", "n_positions", "max_seq_len", default=0),
        tied=bool(said.get("tie_word_embeddings", False)),
        gated=str(said.get("model_type")) not in _UNGATED,
        experts=experts,
        active_experts=number("num_experts_per_tok", default=1) if experts > 1 else 1,
    )


def _config(hidden: int, layers: int, vocabulary: int, intermediate: int, heads: int, kv: int, context: int) -> Any:
    return {
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "vocab_size": vocabulary,
        "intermediate_size": intermediate,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "head_dim": 128,
        "max_position_embeddings": context,
    }


# What the models' own config.json say, for an estimate before anything is downloaded. By the beginning of the name.
_KNOWN: dict[str, Mapping[str, Any]] = {
    "mistral-7b": _config(4096, 32, 32000, 14336, 32, 8, 32768),
    "dolphin-2.2.1-mistral-7b": _config(4096, 32, 32002, 14336, 32, 8, 32768),
    "mistral-nemo": _config(5120, 40, 131072, 14336, 32, 8, 131072),
    "eurollm-9b": _config(4096, 42, 128000, 12288, 32, 8, 4096),
    "llama-2-7b": _config(4096, 32, 32000, 11008, 32, 32, 4096),
    "llama-2-13b": _config(5120, 40, 32000, 13824, 40, 40, 4096),
    "llama-3.1-8b": _config(4096, 32, 128256, 14336, 32, 8, 131072),
    "meta-llama-3.1-8b": _config(4096, 32, 128256, 14336, 32, 8, 131072),
    "qwen3-4b": {**_config(2560, 36, 151936, 9728, 32, 8, 40960), "tie_word_embeddings": True},
    "qwen3-8b": _config(4096, 36, 151936, 12288, 32, 8, 40960),
    "qwen3-14b": _config(5120, 40, 151936, 17408, 40, 8, 40960),
}


def read_config(base: str, places: list[Path]) -> Mapping[str, Any] | None:
    """The `config.json` of the base model called `base`, or None where it is not known.

    Args:
        base: a path or a Hugging Face name.
        places: folders to look in first; the one with the weights, if they are here.

    Raises:
        UserError: there is a file, and it cannot be read.
    """
    for path in (place / "config.json" for place in places):
        if path.is_file():
            try:
                config = json.loads(path.read_bytes())
            except (OSError, ValueError) as error:
                raise UserError(f"{path} cannot be read: {error}.", "Fetch the base model again.") from error
            if isinstance(config, dict):
                return config
    name = Path(base).name.lower()
    return next((config for known, config in _KNOWN.items() if name.startswith(known)), None)
