"""A room: several personas in one talk, who speaks next in it, and what each of them is sent.

Nothing here prints, waits or connects, so the command line and a screen can use the same room.

    room = Room(gather(personas, "milo,bea"))
    room.open("who has my bike?")
    persona = room.next()                     # whom to ask
    messages = room.messages(persona)         # with what
    room.add(persona, "not me")               # or room.pass_over(persona)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tui.contract import Utterance
from tui.errors import ClientError
from tui.text import clean, clean_name, pick_persona, unknown_persona

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.contract import Persona, Usage

LOOP = 3
"""How often in a row a persona may say the same before the talk is taken for stuck."""

_CYRILLIC = re.compile("[\u0400-\u052f]")


@dataclass
class Turn:
    """What one speaker said; `persona` is the id of the member whose words they are, empty for anybody else.

    `state` is `given` for words that were not generated, and says of the others whether they are all there.
    """

    speaker: str
    text: str
    persona: str = ""
    state: Literal["given", "whole", "stopped", "failed"] = "whole"
    usage: Usage | None = None


def names_in(listed: str) -> list[str]:
    """Return the names of a comma-separated list; raises ClientError for fewer than two."""
    names = [name.strip() for name in listed.split(",") if name.strip()]
    if len(names) < 2:
        only = f"“{clean_name(names[0])}” is alone in it" if names else "nobody is in it"
        raise ClientError(f"a room needs two personas or more: {only}", hint="name them like --room alice,bob")
    return names


def gather(personas: Sequence[Persona], names: Sequence[str]) -> list[Persona]:
    """Return the members of a room in the order of `names` (ids or speakers' names).

    Raises ClientError for a name that nobody has, for one persona named twice, and for two that speak under
    one name: neither they nor a reader could tell who said what.
    """
    members: list[Persona] = []
    for name in names:
        persona = pick_persona(personas, name)
        if persona is None:
            message, hint = unknown_persona(personas, name)
            raise ClientError(message, hint=hint)
        for member in members:
            if member.id == persona.id:
                raise ClientError(f"“{clean_name(persona.id)}” is in the room twice", hint="name each persona once")
            if speaker_of(member).casefold() == speaker_of(persona).casefold():
                raise ClientError(
                    f"“{clean_name(member.id)}” and “{clean_name(persona.id)}” both speak as {persona.name}",
                    hint="only one of them can be in a room",
                )
        members.append(persona)
    return members


def speaker_of(persona: Persona) -> str:
    """Return the name that goes over the wire: the speaker's, or the id on a plain OpenAI server."""
    return persona.speaker or persona.id


def user_of(members: Sequence[Persona], as_name: str) -> str:
    """Return who the user is in a room: `as_name`, else the owner; empty where no card names one."""
    owners = (persona.owner or persona.interlocutor for persona in members)
    return as_name or next((owner for owner in owners if owner), "")


class Room:
    """A talk between `members`; `user` is the name of whoever says the opening line (may be empty)."""

    def __init__(self, members: Sequence[Persona], user: str = "") -> None:
        """Begin with nothing said."""
        self.members = list(members)
        self.user = user
        self.turns: list[Turn] = []
        self._passed: set[str] = set()

    def open(self, line: str | None) -> Turn:
        """Say the first thing, so that there is something to answer, and return it as a turn.

        `line` is the user's, and counts as a member's own where the user goes by that member's name. Without a
        line the second member greets the first, in Russian if the first one's card has Cyrillic in it.
        """
        if line is None:
            first, second = self.members[:2]
            greeting = "привет" if _CYRILLIC.search(f"{first.speaker} {first.about}") else "hey"
            turn = Turn(speaker_of(second), greeting, second.id, "given")
        else:
            mine = (persona.id for persona in self.members if speaker_of(persona).casefold() == self.user.casefold())
            turn = Turn(self.user, clean(line).strip(), next(mine, ""), "given")
        self.turns.append(turn)
        return turn

    def next(self) -> Persona | None:
        """Return who speaks next, or None when everybody was passed over since the last turn.

        Never the one who spoke last while somebody else is left. Of the others, the one whom the last turn
        mentions first, an @mention before a bare name; else the one who has been silent longest, in the
        order of the room among those who have not spoken at all.
        """
        last = self.turns[-1] if self.turns else Turn("", "")
        there = [persona for persona in self.members if persona.id not in self._passed]
        others = sorted((persona for persona in there if persona.id != last.persona), key=self._spoke_at)
        named = [(place, persona) for persona in others if (place := mention(last.text, persona)) is not None]
        if named:
            return min(named, key=lambda found: found[0])[1]  # the first of equals: the longest silent
        return next(iter(others or there), None)

    def _spoke_at(self, persona: Persona) -> int:
        """Return the place of the persona's last turn, -1 for none."""
        places = (place for place, turn in enumerate(self.turns) if turn.persona == persona.id)
        return max(places, default=-1)

    def messages(self, persona: Persona) -> list[Utterance]:
        """Return what `persona` is sent: every turn so far, its own as `assistant`, the others' with their names."""
        return [
            Utterance("assistant", turn.text)
            if turn.persona == persona.id
            else Utterance("user", turn.text, turn.speaker)
            for turn in self.turns
            if turn.text.strip()
        ]

    def add(self, persona: Persona, text: str, usage: Usage | None = None) -> Turn:
        """Put down what `persona` said, and return it; `text` must not be empty."""
        turn = Turn(speaker_of(persona), text, persona.id, usage=usage)
        self.turns.append(turn)
        self._passed.clear()
        return turn

    def pass_over(self, persona: Persona) -> None:
        """Leave `persona` out until somebody else has spoken."""
        self._passed.add(persona.id)

    @property
    def stuck(self) -> bool:
        """Whether the last to speak has said the same three times in a row."""
        if not self.turns or not self.turns[-1].persona:
            return False
        own = [" ".join(turn.text.split()) for turn in self.turns if turn.persona == self.turns[-1].persona]
        return len(own) >= LOOP and len(set(own[-LOOP:])) == 1


def mention(text: str, persona: Persona) -> tuple[bool, int, int] | None:
    """Return where `text` mentions `persona`, as a key that sorts the mention to follow first; None for nowhere.

    The key is whether the mention has no @, its place, and its length negated, so that among two who share a
    first name the one named in full comes first. Upper and lower case are alike. A persona goes by its id, its
    name, the name with _ for spaces, and its first name; a single letter counts only after an @.
    """
    whole = persona.name
    names = {persona.id, whole, whole.replace(" ", "_"), whole.split(" ")[0]}
    return min(
        (
            (not match[1], match.start(), -len(name))
            for name in names
            for match in re.finditer(rf"(?<!\w)(@?){re.escape(name)}(?!\w)", text, re.IGNORECASE)
            if match[1] or len(name) > 1
        ),
        default=None,
    )
