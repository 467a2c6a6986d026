"""Give a base the marks of ChatML without giving it a token: its begin and end of sequence are spelled that way.

Llama 2 and Mistral 7B have neither the marks nor tokens to spare. New tokens would resize the embeddings, and an
adapter with resized embeddings is one that no engine serves; as plain text the marks are many tokens each, and axolotl
refuses to train such an end of turn. So a copy of the base is made in which `<s>` reads `<|im_start|>` and `</s>` reads
`<|im_end|>`. The weights are the same files; a turn begins and ends as a text did in the base's own training.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from persona.errors import UserError
from persona.paths import make_private_dir
from persona.template import TURN_END, TURN_START

TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIG = "tokenizer_config.json"

# The old spelling, in forms that some tools prefer to tokenizer.json; and a template for other turns.
_LEFT_OUT = {"tokenizer.model", "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"}
# These wrap the real file, which is taken as it is; a class of its own could rebuild it from the old spelling.
_PLAIN_CLASS = "PreTrainedTokenizerFast"


def with_chatml_tokens(base: Path, folder: Path) -> tuple[str, str]:
    """Write a copy of the base in folder `base` to `folder`, with ChatML's marks; the two tokens that became them.

    Weights are hard links where the file system has them.

    Raises:
        UserError: the base has the marks already, or its tokenizer has no begin or end of sequence to spell anew.
    """
    tokenizer = _read(base / TOKENIZER)
    settings = _read(base / TOKENIZER_CONFIG)
    added = {token["content"]: token for token in tokenizer.get("added_tokens", [])}
    if TURN_START in added and TURN_END in added:
        raise UserError(f"{base} has ChatML's marks already.", "Use it as it is.")
    begin, end = _text(settings.get("bos_token")), _text(settings.get("eos_token"))
    if begin not in added or end not in added or begin == end:
        raise UserError(
            f"{base} has no begin and end of sequence of its own to take for ChatML's marks.",
            "Train every weight of it instead, as mistral-fsdp does, or take another base.",
        )
    _respell(tokenizer, {begin: TURN_START, end: TURN_END})
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_private_dir(unfinished)
    for file in base.iterdir():
        if file.is_file() and file.name not in _LEFT_OUT:
            _link(file, unfinished / file.name)
    _write(unfinished / TOKENIZER, tokenizer)
    _write(unfinished / TOKENIZER_CONFIG, _settings(settings))
    unfinished.rename(folder)
    return begin, end


def _respell(tokenizer: dict[str, Any], spelling: dict[str, str]) -> None:
    for token in tokenizer["added_tokens"]:
        if token["content"] in spelling:
            # As a special token it is found in a text before anything else is done to that text.
            token.update(content=spelling[token["content"]], special=True, normalized=False)
    vocabulary = tokenizer["model"].get("vocab")
    if isinstance(vocabulary, dict):
        tokenizer["model"]["vocab"] = {spelling.get(piece, piece): number for piece, number in vocabulary.items()}
    elif isinstance(vocabulary, list):
        tokenizer["model"]["vocab"] = [[spelling.get(piece, piece), score] for piece, score in vocabulary]
    # The begin of sequence that it would put before every text is now the mark of a turn, which prompts bring along.
    tokenizer["post_processor"] = None


def _settings(settings: dict[str, Any]) -> dict[str, Any]:
    gone = {"bos_token", "added_tokens_decoder", "chat_template", "extra_special_tokens", "additional_special_tokens"}
    kept = {key: value for key, value in settings.items() if key not in gone}
    return kept | {
        "tokenizer_class": _PLAIN_CLASS,
        "eos_token": TURN_END,
        # Padding is never trained on; where nothing else is told, axolotl would add a token for it.
        "pad_token": _text(settings.get("unk_token")) or TURN_END,
        "add_bos_token": False,
        "add_eos_token": False,
    }


def _text(token: Any) -> str:
    """A token of a tokenizer's configuration, which is a string or an object."""
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _link(file: Path, to: Path) -> None:
    # Never a link to a link: a model from Hugging Face's cache is one, and may be cleaned away.
    source = file.resolve()
    try:
        os.link(source, to)
    except OSError:
        shutil.copy2(source, to)


def _read(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"there is no {path}.", "The base needs its tokenizer in Hugging Face's format.") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {error}.", "Download the base again.") from error
    if not isinstance(read, dict):
        raise UserError(f"{path} is not a tokenizer's.", "Download the base again.")
    return read


def _write(path: Path, content: dict[str, Any]) -> None:
    # What was linked is the base's own file, and stays as it is.
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
