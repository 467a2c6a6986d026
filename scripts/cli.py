"""The `greenroom` command: every command by name, and one place where errors become a line and an exit code.

The command modules import nothing heavy at the top, so that `greenroom --help` and `greenroom chat` start at once.
"""

from __future__ import annotations

import os
import sys
import traceback

import typer

from persona.errors import UserError
from scripts.audit import audit
from scripts.chat import chat
from scripts.dataset import dataset
from scripts.demo import demo
from scripts.doctor import doctor
from scripts.evaluate import evaluate
from scripts.gateway import gateway
from scripts.import_exports import import_exports
from scripts.model import model
from scripts.people import people
from scripts.personas import personas
from scripts.redaction import redaction
from scripts.serve import serve
from scripts.sweep import sweep
from scripts.train import train

app = typer.Typer(
    name="greenroom",
    help="Turn your old chats into personas and talk to them. Everything stays on this machine.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
)
app.command("import", rich_help_panel="From chats to personas")(import_exports)
app.add_typer(people, name="people", rich_help_panel="From chats to personas")
app.command("dataset", rich_help_panel="From chats to personas")(dataset)
app.command("train", rich_help_panel="From chats to personas")(train)
app.command("sweep", rich_help_panel="From chats to personas")(sweep)
app.add_typer(personas, name="personas", rich_help_panel="From chats to personas")
app.add_typer(redaction, name="redaction", rich_help_panel="From chats to personas")
app.command("evaluate", rich_help_panel="From chats to personas")(evaluate)
app.command("audit", rich_help_panel="From chats to personas")(audit)
app.command("serve", rich_help_panel="Talking to them")(serve)
app.command("gateway", rich_help_panel="Talking to them")(gateway)
app.command("chat", rich_help_panel="Talking to them")(chat)
app.command("demo", rich_help_panel="Talking to them")(demo)
app.add_typer(model, name="model", rich_help_panel="This machine")
app.command("doctor", rich_help_panel="This machine")(doctor)

USERS_MISTAKE = 2
OUR_MISTAKE = 1
INTERRUPTED = 130


def main() -> None:
    """Run the command line; exit code 2 for what the user can mend, 1 for what we must."""
    try:
        app()
    except UserError as error:
        print(f"greenroom: {error}", file=sys.stderr)
        raise SystemExit(USERS_MISTAKE) from None
    except KeyboardInterrupt:
        print("stopped.", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader of our output (`| head`) has left; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(OUR_MISTAKE) from None
    except Exception:
        traceback.print_exc()
        print("greenroom: this is a bug in Greenroom, not your mistake. Your data is as it was.", file=sys.stderr)
        raise SystemExit(OUR_MISTAKE) from None


if __name__ == "__main__":
    main()
