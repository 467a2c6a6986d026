"""Who can be talked to: the personas in one or more folders, by id."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from persona.card import Persona, load_personas
from persona.errors import UserError
from server.conversation import speaker_key
from server.envelope import RequestError

log = logging.getLogger("greenroom")


class Roster:
    """The personas that an endpoint serves.

    Attributes:
        personas: each by id, in the order they are listed.
        speakers: every name the personas know, by `speaker_key`.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        """Read the personas in `folders`; where two have the same id, the first is taken.

        Raises:
            UserError: not one persona in any of them.
        """
        self.personas: dict[str, Persona] = {}
        looked_in: list[str] = []
        for folder in folders:
            looked_in.append(str(folder))
            found, broken = load_personas(folder)
            for persona in found:
                self.personas.setdefault(persona.id, persona)
            for error in broken:
                log.warning("left out a broken persona: %s", error)
        if not self.personas:
            raise UserError(
                f"no personas in {', '.join(looked_in)}.",
                "Train some (`greenroom train`), or serve the sample cast with --personas samples/personas.",
            )
        names = [p.speaker for p in self.personas.values()] + [p.interlocutor for p in self.personas.values()]
        self.speakers = {speaker_key(name): name for name in names}
        self._since = int(time.time())

    def find(self, model: Any) -> Persona:
        """The persona that a request's `model` names.

        Raises:
            RequestError: no such persona; lists those there are.
        """
        if not isinstance(model, str):
            raise RequestError("`model` must be a persona's id.", param="model", code="invalid_type")
        persona = self.personas.get(model)
        if persona is None:
            there = ", ".join(list(self.personas)[:20])
            raise RequestError(
                f"The persona {model[:80]!r} does not exist. There are: {there}.",
                param="model",
                code="model_not_found",
                status=404,
            )
        return persona

    def entry(self, persona: Persona) -> dict[str, Any]:
        """The persona as an item of `/v1/models`; what OpenAI has no field for is under `greenroom`."""
        card = persona.card
        about = {
            "speaker": persona.speaker,
            "about": card.about,
            "base": card.base,
            "owner": card.owner,
            "interlocutor": persona.interlocutor,
        }
        return {
            "id": persona.id,
            "object": "model",
            "created": self._since,
            "owned_by": "greenroom",
            "greenroom": about,
        }
