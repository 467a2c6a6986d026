"""The one kind of error that a person can cause and mend."""


class UserError(Exception):
    """Something the person at the keyboard can put right.

    The command line prints it as one line and leaves with exit code 2; everything else that escapes is our bug
    and leaves with 1.

    Attributes:
        message: what happened, and where (file, line, record).
        hint: what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """The message and its hint as one line."""
        return f"{self.message} {self.hint}".strip()
