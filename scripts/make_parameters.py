"""Write the table of parameters in docs/serving.md again, from the list that requests are checked against.

python -m scripts.make_parameters
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from server.parameters import ACCEPTED, HONOURED, NOTHING_ASKED, NOTHING_ASKED_RAW, ROUTES, Limits

PAGE = Path(__file__).resolve().parents[1] / "docs" / "serving.md"
BEGIN, END = "<!-- made by scripts/make_parameters.py -->\n", "<!-- until here -->\n"


def table() -> str:
    """The tables, in Markdown."""
    lines = [
        f"| parameter | {' | '.join(f'`{route}`' for route in ROUTES)} | llama.cpp | vLLM | |",
        "| --- " * (len(ROUTES) + 4) + "|",
    ]
    for one in HONOURED:
        routes = " | ".join("yes" if route in one.routes else "" for route in ROUTES)
        note = "; ".join(filter(None, [_range(one.limits), one.note]))
        lines.append(f"| `{one.name}` | {routes} | {'' if one.vllm_only else 'yes'} | yes | {note} |")
    asking_nothing = {f"`{name}`": held for name, held in NOTHING_ASKED.items()}
    asking_nothing |= {f"`{name}` (`completions`)": held for name, held in NOTHING_ASKED_RAW.items()}
    lines += ["", "| accepted, and changes nothing about a reply |", "| --- |", f"| {_names(ACCEPTED)} |"]
    lines += ["", "| refused, unless it asks for nothing | which is |", "| --- | --- |"]
    lines += [f"| {name} | {_values(held)} |" for name, held in sorted(asking_nothing.items())]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """`text`, the page, with the tables as they are now."""
    before, _, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{PAGE} has no {BEGIN.strip()} … {END.strip()}.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _range(limits: Limits | None) -> str:
    if limits is None:
        return ""
    _, least, most = limits
    if abs(least) >= 2**31:
        return "64 bits"
    return f"from {least}" if most is None or most >= 2**31 - 1 else f"{least} to {most}"


def _names(names: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _values(values: tuple[Any, ...]) -> str:
    words = {None: "null", True: "true", False: "false"}
    return ", ".join(
        words[value] if value is None or isinstance(value, bool) else f"`{value}`" if value != "" else '`""`'
        for value in values
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
