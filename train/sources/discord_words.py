"""How Discord writes people, emoji and files into a text, whichever way it is exported."""

import re
from collections.abc import Mapping

from train.messages import Kind

_MENTION = re.compile(r"<@!?(\d+)>")
_EMOJI = re.compile(r"<a?:(\w+):\d+>")
_GIF_LINK = re.compile(r"https://(?:tenor\.com/view|media\.tenor\.com|giphy\.com/gifs|media\.giphy\.com)/\S+")
_KINDS = {
    "jpg": Kind.PHOTO, "jpeg": Kind.PHOTO, "png": Kind.PHOTO, "webp": Kind.PHOTO, "heic": Kind.PHOTO, "gif": Kind.GIF,
    "mp4": Kind.VIDEO, "mov": Kind.VIDEO, "webm": Kind.VIDEO, "mp3": Kind.AUDIO, "ogg": Kind.VOICE, "wav": Kind.AUDIO,
    "m4a": Kind.AUDIO,
}  # fmt: skip


def plain_text(text: str, names: Mapping[str, str]) -> str:
    """Return a text with a name for each mention (`names` by id) and the word of each emoji of a server."""
    text = _MENTION.sub(lambda found: f"@{names.get(found[1]) or 'somebody'}", text)
    return _EMOJI.sub(r":\1:", text)


def mentioned_in(text: str) -> list[str]:
    """Return the ids of the people that a text mentions."""
    return _MENTION.findall(text)


def is_gif(text: str) -> bool:
    """Return whether a text is nothing but the link of a moving picture, which is how Discord sends those."""
    return _GIF_LINK.fullmatch(text.strip()) is not None


def kind_of_file(name: str) -> Kind:
    """Return what a file is by the ending of its name or address."""
    return _KINDS.get(name.partition("?")[0].rpartition(".")[2].lower(), Kind.FILE)
