"""Text from models and from other people, made safe and ready to show.

Everything that reaches a terminal goes through `clean` (bodies) or `clean_name` (one-line labels): the
writer of a text must not be able to move the cursor, recolour the screen, reorder what is read or forge
a link. Nothing here knows about Textual, so the inline command can use it without loading a screen.
"""

from __future__ import annotations

import re
import zlib
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tui.contract import Persona

HUES = 12
"""How many persona colours a theme has; see `tui.theme`."""

NAME_LIMIT = 60
"""Longest name shown, in characters."""

TAB = "    "

# An unfinished sequence is matched as well, up to the end of its line: what is shown of a growing text must
# stay a prefix of what is shown later, and must never show half an escape sequence in between.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x1b|\x9c)?"  # OSC, DCS and kin
    r"|\x1b[ -/]*[0-~]?"  # two-byte sequences and a lone escape
)
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufff9-\ufffb]")
# Embeddings, overrides and isolates let a text reorder its neighbours (CVE-2021-42574). Marks (U+200E,
# U+200F, U+061C) only affect their own surroundings and are common in honest right-to-left text.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def clean(text: str) -> str:
    r"""Return `text` with only characters that are safe to print, `\n` the only control among them.

    Tabs become four spaces, every kind of line end becomes `\n`, terminal escape sequences and the C0 and
    C1 controls go, and so do bidirectional overrides. Halves of a UTF-16 pair that arrive in two pieces
    are joined; a half with no partner is dropped. For a text that grows, the result only ever grows.
    """
    if _SURROGATES.search(text):
        text = _SURROGATES.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore"))
    text = _ESCAPES.sub("", _LINE_ENDS.sub("\n", text).replace("\t", TAB))
    return _BIDI.sub("", _CONTROLS.sub("", text))


def clean_name(text: str, limit: int = NAME_LIMIT) -> str:
    """Return `text` as one cleaned line with single spaces, cut to `limit` characters with an ellipsis."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def bubbles(text: str) -> list[str]:
    """Return the message bubbles of a reply: its lines that are not blank, cleaned, in order."""
    return [line.rstrip() for line in clean(text).split("\n") if line.strip()]


def last_line(text: str) -> str:
    """Return the last bubble of `text` as one line for a list, or an empty string."""
    lines = bubbles(text)
    return " ".join(lines[-1].split()) if lines else ""


def initials(name: str) -> str:
    """Return one or two letters that stand for `name`: first and last word, else its first two letters."""
    words = [word for word in re.split(r"[\W_]+", clean_name(name)) if word]
    if not words:
        return "?"
    if len(words) == 1:
        return words[0][:2].capitalize()
    return (words[0][0] + words[-1][0]).upper()


def hue(identifier: str) -> int:
    """Return the persona colour of `identifier`, from 0 to HUES - 1, the same on every machine and run."""
    # Python's own hash is salted per process, so it would repaint everybody at each start.
    return zlib.crc32(identifier.encode("utf-8", "surrogatepass")) % HUES


def pick_persona(personas: Sequence[Persona], wanted: str) -> Persona | None:
    """Return the persona with that id or speaker name (upper and lower case alike), or None."""
    for persona in personas:
        if persona.id == wanted:
            return persona
    folded = wanted.strip().casefold()
    for persona in personas:
        if folded in (persona.id.casefold(), persona.name.casefold()):
            return persona
    return None


def near_names(personas: Iterable[Persona], wanted: str, most: int = 3) -> list[str]:
    """Return up to `most` persona ids that a person who typed `wanted` may have meant, best first."""
    known: dict[str, str] = {}
    for persona in personas:
        known.setdefault(persona.id.casefold(), persona.id)
        for word in (persona.name, *persona.name.split()):
            known.setdefault(word.casefold(), persona.id)
    folded = wanted.strip().casefold()
    close = get_close_matches(folded, known, n=most * 3, cutoff=0.5)
    starts = [name for name in known if folded and name.startswith(folded)]
    return list(dict.fromkeys(known[name] for name in starts + close))[:most]


def unknown_persona(personas: Sequence[Persona], wanted: str) -> tuple[str, str]:
    """Return the message and the hint for a persona that the endpoint does not have."""
    near = near_names(personas, wanted) or [persona.id for persona in personas[:5]]
    listed = ", ".join(clean_name(name) for name in near)
    shown = clean_name(wanted)
    if not listed:
        return f"there is no persona “{shown}”: the endpoint has none at all", "add one, then try again"
    return f"there is no persona “{shown}”", f"near names: {listed}"
