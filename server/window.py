"""Long chats, cut to what the model can read: whole turns, the oldest first.

The context turn that a request begins with stays, and so does the newest turn. What is counted is the whole prompt as
the engine's own tokenizer sees it. No token is shorter than a byte, so most chats fit without being counted at all.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from persona.card import Persona
from persona.template import Turn, render, render_turn
from server.conversation import SYSTEM
from server.engines import Engine
from server.envelope import RequestError

DROPPED_HEADER = b"x-greenroom-turns-dropped"
"""Response header with the number of turns that were left out, where any were."""

USUAL_REPLY = 256
"""Tokens kept free for a reply whose length the request leaves open, or a quarter of the context if that is less."""
_SPARE = 8
"""Tokens that an engine may add on its own (beginning of sequence) or want for itself."""

Count = Callable[[str], Awaitable[int]]


def room_for_reply(max_tokens: int | None, context: int) -> int:
    """Tokens that the prompt leaves free: what the request may write, but never more than half the context."""
    if max_tokens is None:
        return min(USUAL_REPLY, context // 4)
    return min(max_tokens, context // 2)


def reply_that_fits(tokens: int, context: int) -> int:
    """Tokens that a prompt of `tokens` leaves of the context."""
    return context - tokens - _SPARE


async def fit(request: dict[str, Any], persona: Persona, engine: Engine) -> int:
    """Leave turns out of `request["messages"]` until it fits, and come back with how many were.

    `max_tokens` is lowered to what is left of the context where it asks for more.

    Raises:
        RequestError: not even the newest turn fits.
    """
    context = engine.context(persona.id)
    room = room_for_reply(request.get("max_tokens"), context)

    async def count(prompt: str) -> int:
        return await engine.count(persona.id, prompt)

    turns: list[Turn] = request["messages"]
    kept, tokens = await newest_that_fit(turns, persona.speaker, context - room - _SPARE, count)
    request["messages"] = kept
    if "max_tokens" in request:
        request["max_tokens"] = min(request["max_tokens"], max(room, reply_that_fits(tokens, context)))
    return len(turns) - len(kept)


async def newest_that_fit(turns: list[Turn], speaker: str, budget: int, count: Count) -> tuple[list[Turn], int]:
    """The context turn of `turns` and as many of the newest others as make a prompt of at most `budget` tokens.

    Comes back with the number of tokens too, or a bound on it where that was enough. Each count is of a whole prompt,
    because tokens may reach over the end of a turn; about log2(turns) counts, none of much more than twice the
    budget.

    Raises:
        RequestError: the context turn and the newest turn alone are longer than that.
    """
    head = turns[:1] if turns and turns[0]["role"] == SYSTEM else []
    others = turns[len(head) :]
    sizes = [len(render_turn(turn["role"], turn["content"]).encode()) for turn in others]
    fixed = len(render(head, speaker).encode())
    total = fixed + sum(sizes)
    if total <= budget:
        return turns, total

    async def tokens_without(dropped: int) -> int:
        return await count(render([*head, *others[dropped:]], speaker))

    # As many as surely fit by their bytes; then twice as many bytes at a time, until it is too long; then halving.
    def within(limit: int) -> int:
        size, dropped = fixed, len(others)
        while dropped and size + sizes[dropped - 1] <= limit:
            dropped -= 1
            size += sizes[dropped]
        return dropped

    last = max(len(others) - 1, 0)
    limit = budget
    fits = min(within(limit), last)
    tokens = await tokens_without(fits)
    if tokens > budget:
        raise RequestError(
            f"The newest message is too long: with what must stand before it, it has {tokens} tokens, and there is "
            f"room for {budget} (the rest of the context is kept for the reply).",
            param="messages",
            code="context_length_exceeded",
        )
    too_many = -1
    while fits > 0 and too_many < 0:
        limit *= 2
        tried = min(within(limit), fits - 1)
        counted = await tokens_without(tried)
        if counted <= budget:
            fits, tokens = tried, counted
        else:
            too_many = tried
    while fits - too_many > 1:
        tried = (fits + too_many) // 2
        counted = await tokens_without(tried)
        if counted <= budget:
            fits, tokens = tried, counted
        else:
            too_many = tried
    return [*head, *others[fits:]], tokens
