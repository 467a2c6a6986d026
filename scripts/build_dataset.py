"""`python scripts/build_dataset.py`: the same as `greenroom dataset`, with the same options."""

import sys
from pathlib import Path

import typer

# Run as a file, Python looks for modules in scripts/ alone.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from persona.errors import UserError
from scripts.dataset import dataset


def main() -> None:
    """Run the dataset command; a UserError becomes one line and exit code 2."""
    try:
        typer.run(dataset)
    except UserError as error:
        typer.echo(f"greenroom: {error}", err=True)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
