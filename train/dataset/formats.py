"""The three ways a line of a set can be written.

sharegpt  {"conversations": [{"from": "Alice", "value": "yeah same", "train": true}, …]}
          what axolotl's `chat_template` type reads, and what `greenroom train` takes
chatml    {"text": "<|im_start|>Alice\\nyeah same<|im_end|>\\n…", "segments": [{"text": …, "label": true}, …]}
          rendered; `segments` is the same text for axolotl's `input_output` type, with what is trained marked
messages  {"messages": [{"role": "assistant", "name": "Alice", "content": "yeah same"}, …]}
          OpenAI's roles, the persona as assistant, with `weight: 0` on what is not trained
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from persona.template import TURN_END, TURN_START
from train.conversations import Conversation, Utterance, rendered
from train.dataset_choices import Format

Encoded = Callable[[list[Utterance]], bytes]


def encoder(form: Format, personas: Collection[str]) -> Encoded:
    """Return what writes a conversation as one line of JSON; `personas` are the speakers that are assistants."""
    encode = msgspec.json.Encoder().encode
    as_object: dict[Format, Callable[[list[Utterance]], Any]] = {
        Format.SHAREGPT: Conversation,
        Format.CHATML: _chatml,
        Format.MESSAGES: lambda turns: _messages(turns, personas),
    }
    shape = as_object[form]
    return lambda turns: encode(shape(turns)) + b"\n"


def _chatml(turns: list[Utterance]) -> dict[str, Any]:
    segments: list[dict[str, Any]] = []
    plain = ""
    for turn in turns:
        if not turn.train:
            plain += rendered(turn)
            continue
        # Exactly the body and the closing mark are trained: not the name, not the line break between turns.
        segments.append({"label": False, "text": f"{plain}{TURN_START}{turn.speaker}\n"})
        segments.append({"label": True, "text": turn.value + TURN_END})
        plain = "\n"
    if plain:
        segments.append({"label": False, "text": plain})
    return {"text": "".join(segment["text"] for segment in segments), "segments": segments}


def _messages(turns: list[Utterance], personas: Collection[str]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    for turn in turns:
        if turn.speaker == SYSTEM:
            rows.append({"role": "system", "content": turn.value})
            continue
        role = "assistant" if turn.speaker in personas else "user"
        row: dict[str, Any] = {"role": role, "name": turn.speaker, "content": turn.value}
        if role == "assistant" and not turn.train:
            row["weight"] = 0
        rows.append(row)
    return {"messages": rows}


SYSTEM = "system"
"""The role of the context turn; no speaker is called so (`persona.names.clean_name`)."""
