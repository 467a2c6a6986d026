"""Loss curves, as a picture and in the terminal.

    .venv-train/bin/python -m train.plots data/runs/NAME-1/history.json data/runs/NAME-1/loss.png

The picture is drawn by matplotlib in the training environment, so that chatting needs no such library; the terminal's
by plotille, which is small.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Curves = Mapping[str, Mapping[str, Any]]
"""By stage, what `train.losses.Curve` holds: "training" and "evaluation" points of (epoch, loss)."""

_NO_MATPLOTLIB = 3


def terminal(curves: Curves, width: int = 60, height: int = 12) -> str:
    """The curves of each stage as lines of text, one picture a stage; stages of a single point are left out."""
    import plotille

    pictures = []
    for name, curve in curves.items():
        lines = [(label, curve[key]) for label, key in (("training", "training"), ("held out", "evaluation"))]
        lines = [(label, points) for label, points in lines if len(points) > 1]
        if not lines:
            continue
        figure = plotille.Figure()
        figure.width, figure.height, figure.with_colors = width, height, False
        figure.origin = False
        figure.x_label, figure.y_label = "epoch", "loss"
        figure.register_label_formatter(float, lambda value, chars, *_, **__: f"{value:.2f}".rjust(min(chars, 8)))
        for (label, points), marker in zip(lines, (None, "o"), strict=False):
            xs, ys = zip(*points, strict=True)
            figure.plot(xs, ys, label=f"{label}{' (o)' if marker else ''}", marker=marker)
        heights = [y for _, points in lines for _, y in points]
        margin = 0.05 * (max(heights) - min(heights)) or 0.1
        figure.set_y_limits(min_=min(heights) - margin, max_=max(heights) + margin)
        figure.set_x_limits(min_=0, max_=max(x for _, points in lines for x, _ in points))
        legend = ", ".join(label + (" (o)" if label == "held out" and len(lines) > 1 else "") for label, _ in lines)
        pictures.append(f"{name}: loss by epoch; {legend}\n{figure.show()}")
    return "\n\n".join(pictures)


def draw(curves: Curves, out: Path) -> None:
    """Write the curves as a PNG to `out`: one line a stage for training, dashed for the held-out set."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5), dpi=120)
    for number, (name, curve) in enumerate(curves.items()):
        color = f"C{number % 10}"
        for key, style, label in (("training", "-", name), ("evaluation", "--", f"{name}, held out")):
            if curve[key]:
                xs, ys = zip(*curve[key], strict=True)
                axes.plot(xs, ys, style, color=color, label=label, marker="o" if key == "evaluation" else None)
    axes.set_xlabel("epoch")
    axes.set_ylabel("loss, nats a token")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.tight_layout()
    figure.savefig(out)


def main() -> None:
    """Draw the first argument's curves to the second; exit code 3 where there is no matplotlib."""
    history, out = map(Path, sys.argv[1:3])
    try:
        draw(json.loads(history.read_text("utf-8")), out)
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        sys.exit(_NO_MATPLOTLIB)


if __name__ == "__main__":
    main()
