"""Replies of a persona to what was really said before, asked of an OpenAI-compatible endpoint.

The contexts are of the training set, where a persona that has learnt by heart gives itself away, and of what is held
out. Each reply is kept in a file as it comes, so that a run that is stopped goes on.
"""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from persona.audit import adapter_sha256
from persona.card import Persona
from persona.errors import UserError
from persona.paths import make_private_dir
from train.private_files import write_private

Origin = Literal["train", "held out"]
Conversations = Sequence[Sequence[Mapping[str, Any]]]
Told = Callable[[int, int], None]
"""Told how many there are in all and how many are done."""

MOST_CONTEXT_CHARS = 1500
MOST_TOKENS = 120
AT_ONCE = 4
"""Requests under way; the slots of `greenroom serve`."""
_PATIENCE_S = 600


class Context(msgspec.Struct, frozen=True):
    """What was said before a reply, and the reply.

    Attributes:
        origin: which set it is of.
        turns: (speaker, text) in order, the oldest left out where they are long.
        real: what the persona's person really answered.
    """

    origin: Origin
    turns: tuple[tuple[str, str], ...]
    real: str


class Reply(msgspec.Struct, frozen=True):
    """One reply of a persona.

    Attributes:
        context: what it answers.
        temperature: 0 for the likeliest words, None for the persona's own sampling.
        seed: of the sampling.
        text: what it wrote.
        ended: whether it came to its end by itself.
    """

    context: Context
    temperature: float | None
    seed: int
    text: str = ""
    ended: bool = True


def contexts_of(conversations: Conversations, speaker: str, origin: Origin) -> list[Context]:
    """Return the context of each trained turn of a speaker that answers something."""
    found = []
    for conversation in conversations:
        for place, turn in enumerate(conversation):
            if turn["train"] and turn["from"] == speaker:
                before = [(one["from"], one["value"]) for one in conversation[:place] if one["from"] != "system"]
                before = _newest(before)
                if before:
                    found.append(Context(origin, tuple(before), turn["value"]))
    return found


def drawn(contexts: Sequence[Context], count: int, seed: int) -> list[Context]:
    """Return so many contexts, every one once before any comes twice; the same seed gives the same ones."""
    draws = random.Random(seed)
    chosen: list[Context] = []
    while contexts and len(chosen) < count:
        chosen += draws.sample(list(contexts), min(count - len(chosen), len(contexts)))
    return chosen


def asked(
    persona: Persona, wanted: Sequence[Reply], url: str, file: Path, *, at_once: int = AT_ONCE, told: Told | None = None
) -> list[Reply]:
    """Return `wanted` with what the persona answered, from `file` where it has been asked before.

    Raises:
        UserError: the endpoint cannot be reached, does not know the persona, or refuses.
    """
    mark = _mark(persona, wanted)
    known = _kept(file, mark, wanted)
    make_private_dir(file.parent)
    missing = [place for place in range(len(wanted)) if place not in known]
    if told is not None:
        told(len(wanted), len(known))
    if not missing:
        return [known[place] for place in range(len(wanted))]
    if not file.is_file():
        write_private(file, msgspec.json.encode(mark) + b"\n")
    headers = {"authorization": f"Bearer {key}"} if (key := os.environ.get("GREENROOM_API_KEY")) else {}
    with (
        httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=_PATIENCE_S) as client,
        ThreadPoolExecutor(at_once) as workers,
        open(file, "ab") as out,
    ):
        jobs = {workers.submit(_ask, client, persona, wanted[place]): place for place in missing}
        try:
            for job in as_completed(jobs):
                place = jobs[job]
                known[place] = job.result()
                out.write(msgspec.json.encode([place, known[place].text, known[place].ended]) + b"\n")
                out.flush()
                if told is not None:
                    told(len(wanted), 1)
        except BaseException:
            workers.shutdown(cancel_futures=True)
            raise
    return [known[place] for place in range(len(wanted))]


def messages_of(context: Context, persona: Persona) -> list[dict[str, str]]:
    """Return a context as the messages of a request."""
    return [
        {"role": "assistant", "content": text}
        if speaker == persona.speaker
        else {"role": "user", "name": speaker, "content": text}
        for speaker, text in context.turns
    ]


def _ask(client: httpx.Client, persona: Persona, wanted: Reply) -> Reply:
    request: dict[str, Any] = {
        "model": persona.id,
        "messages": messages_of(wanted.context, persona),
        "seed": wanted.seed,
        "max_tokens": MOST_TOKENS,
    }
    if wanted.temperature is not None:
        request["temperature"] = wanted.temperature
    if wanted.temperature == 0:
        # What is likeliest, with nothing that keeps it from saying a thing twice.
        request["repetition_penalty"] = 1.0
    try:
        answer = client.post("/chat/completions", json=request)
    except httpx.HTTPError as error:
        raise UserError(f"the endpoint {client.base_url} does not answer: {error}.", "Is it running?") from error
    if answer.status_code != 200:
        try:
            why = str(answer.json()["error"]["message"])
        except (ValueError, KeyError, TypeError):
            why = f"HTTP {answer.status_code}"
        raise UserError(f"the endpoint {client.base_url} refuses {persona.id!r}: {why}")
    choice = answer.json()["choices"][0]
    text = str(choice["message"]["content"] or "")
    return msgspec.structs.replace(wanted, text=text, ended=choice.get("finish_reason") == "stop")


def _newest(turns: list[tuple[str, str]]) -> list[tuple[str, str]]:
    room, first = MOST_CONTEXT_CHARS, len(turns)
    while first and room > 0:
        first -= 1
        room -= len(turns[first][1])
    if room < 0:
        speaker, text = turns[first]
        kept = text[-room:]
        return ([(speaker, kept)] if kept.strip() else []) + turns[first + 1 :]
    return turns[first:]


def _mark(persona: Persona, wanted: Sequence[Reply]) -> str:
    """What tells one set of questions, and whom they are asked, from another."""
    whom = (persona.speaker, persona.card.base, persona.card.sampling, adapter_sha256(persona))
    return hashlib.sha256(msgspec.json.encode((whom, wanted))).hexdigest()


def _kept(file: Path, mark: str, wanted: Sequence[Reply]) -> dict[int, Reply]:
    try:
        first, *rows = file.read_bytes().splitlines()
    except (FileNotFoundError, ValueError):
        return {}
    known: dict[int, Reply] = {}
    try:
        if msgspec.json.decode(first) != mark:
            raise msgspec.DecodeError
        for row in rows:
            place, text, ended = msgspec.json.decode(row, type=tuple[int, str, bool])
            known[place] = msgspec.structs.replace(wanted[place], text=text, ended=ended)
    except (msgspec.DecodeError, IndexError):
        # Of other questions, or cut off in its last line: what is whole of the same ones stays.
        if not known:
            file.unlink()
            return {}
        lines = [msgspec.json.encode([place, one.text, one.ended]) for place, one in known.items()]
        write_private(file, b"\n".join([first, *lines]) + b"\n")
    return known
