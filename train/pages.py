"""What the pages that people are given have in common: their style, and the filters of their templates.

A page is one file with no script, whose style and charts are in it; a Content-Security-Policy keeps a browser from
loading anything.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from pathlib import Path

import jinja2
from markupsafe import Markup

HERE = Path(__file__).parent
_OPTION = re.compile(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?: [\d.]+)?")


@cache
def page_template(path: Path) -> jinja2.Template:
    """Return the template at `path`; what it includes lies beside it or here."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([path.parent, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["n"] = lambda number: f"{number:,}"
    environment.filters["short"] = _short
    environment.filters["with_code"] = _with_code
    return environment.get_template(path.name)


def _short(number: int) -> str:
    """Return a round number in few letters: 20,000 is "20k"."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= 10 * size or (number >= size and not number % size):
            return f"{number / size:g}{letter}"
    return f"{number:,}"


def _with_code(text: str) -> Markup:
    """Return a text, escaped, with options of the command in the letters of commands."""
    return Markup(_OPTION.sub(r"<code>\g<0></code>", escape(text)))
