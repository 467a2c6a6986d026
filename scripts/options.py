"""Options that several commands share, written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8844

Data = Annotated[
    Path | None,
    typer.Option("--data", envvar="GREENROOM_DATA", help="The private folder.", show_default="./data"),
]
