"""Who can be talked to: the personas in one or more folders, by id."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from persona.audit import require_audit
from persona.card import CARD_NAME, Persona, load_persona
from persona.errors import UserError
from persona.phrases import Phrases, require_phrases
from server.conversation import speaker_key
from server.envelope import RequestError, no_such_persona

log = logging.getLogger("greenroom")

_FOLDERS_OF_A_PATH = re.compile(r"[^\s:]*[/\\](?:[^/\\:\n]*[/\\])*")


def _reason(error: UserError) -> str:
    """The error for a client: files by name, not by where they lie on this machine."""
    return _FOLDERS_OF_A_PATH.sub("", str(error))


class Roster:
    """The personas that an endpoint serves.

    Attributes:
        folders: where they lie.
        personas: each by id, in the order they are listed.
        broken: what is wrong with each that cannot be served, by id.
        speakers: every name the personas know, by `speaker_key`.
        guard: words in a row of training text that a reply is stopped at; 0 stops none.
    """

    def __init__(self, folders: Iterable[Path], *, audited: bool = False, guard: int = 0) -> None:
        """Read the personas in `folders`; where two have the same id, the first is taken.

        With `audited`, one whose served version has not passed `greenroom audit` counts as broken; with `guard`, one
        without an index of its training set.

        Raises:
            UserError: not one persona in any of them.
        """
        self.folders = tuple(folders)
        self._audited = audited
        self.guard = guard
        self._phrases: dict[Path, Phrases] = {}
        self._since = int(time.time())
        self.broken: dict[str, UserError] = {}
        self.switch(*self.read())
        if not self.personas:
            if (audited or guard) and self.broken:
                raise next(iter(self.broken.values()))
            raise UserError(
                f"no personas in {', '.join(map(str, self.folders))}.",
                "Train some (`greenroom train`), or serve the sample cast with --personas samples/personas.",
            )

    def read(self) -> tuple[dict[str, Persona], dict[str, UserError]]:
        """The personas and the broken ones as they lie in the folders now, by id; changes nothing here."""
        personas: dict[str, Persona] = {}
        broken: dict[str, UserError] = {}
        for folder in self.folders:
            for card in sorted(folder.glob(f"*/{CARD_NAME}")):
                try:
                    persona = load_persona(card.parent)
                    if self._audited:
                        require_audit(persona)
                    if self.guard:
                        self._phrases[persona.version_folder] = require_phrases(persona, self.guard)
                    personas.setdefault(persona.id, persona)
                except UserError as error:
                    broken.setdefault(card.parent.name, error)
        return personas, {id_: error for id_, error in broken.items() if id_ not in personas}

    def switch(self, personas: Mapping[str, Persona], broken: Mapping[str, UserError]) -> None:
        """List `personas` from now on, without those that are `broken`."""
        for id_, error in broken.items():
            if str(self.broken.get(id_)) != str(error):
                log.warning("left out the persona %s: %s", id_, error)
        self.personas = {id_: persona for id_, persona in personas.items() if id_ not in broken}
        self.broken = dict(broken)
        # A version has a folder of its own, so what was read for the next to be served took the place of no other's.
        served = {persona.version_folder for persona in self.personas.values()}
        self._phrases = {folder: phrases for folder, phrases in self._phrases.items() if folder in served}
        names = [p.speaker for p in self.personas.values()] + [p.interlocutor for p in self.personas.values()]
        self.speakers = {speaker_key(name): name for name in names}

    def listing(self, shown: Callable[[str], bool]) -> dict[str, Any]:
        """The body of `/v1/models`: the personas, and under `greenroom` the broken ones, each with the reason.

        Only those whose id is `shown`.
        """
        data = [self.entry(persona) for id_, persona in self.personas.items() if shown(id_)]
        listed: dict[str, Any] = {"object": "list", "data": data}
        broken = [{"id": id_, "reason": _reason(error)} for id_, error in sorted(self.broken.items()) if shown(id_)]
        if broken:
            listed["greenroom"] = {"broken": broken}
        return listed

    def find(self, model: Any) -> Persona:
        """The persona that a request's `model` names.

        Raises:
            RequestError: no such persona; lists those there are.
        """
        if not isinstance(model, str):
            raise RequestError("`model` must be a persona's id.", param="model", code="invalid_type")
        persona = self.personas.get(model)
        if persona is None and model in self.broken:
            raise RequestError(
                f"The persona {model!r} is broken: {_reason(self.broken[model])}",
                param="model",
                code="persona_broken",
                status=404,
            )
        if persona is None:
            there = ", ".join(list(self.personas)[:20])
            raise no_such_persona(model, f" There are: {there}." if there else " There are none.")
        return persona

    def phrases(self, persona: Persona) -> Phrases | None:
        """The index of the persona's training set that replies are held against; None where nothing is guarded."""
        return self._phrases[persona.version_folder] if self.guard else None

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
