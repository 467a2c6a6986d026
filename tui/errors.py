"""What can go wrong in the client, in words a person can act on."""

from __future__ import annotations


class ClientError(Exception):
    """A mistake or an outage that the person at the keyboard can do something about.

    `str(error)` says what happened in one line; `hint` says what to do next (it may be empty).
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        """Keep the two lines apart, so that a screen can show them with different weight."""
        super().__init__(message)
        self.hint = hint


class EndpointError(ClientError):
    """The endpoint did not do what was asked; `status` is its HTTP status, or None without an answer."""

    def __init__(self, message: str, *, hint: str = "", status: int | None = None) -> None:
        """Keep the status, because only the caller knows which statuses are final."""
        super().__init__(message, hint=hint)
        self.status = status


class HistoryError(ClientError):
    """The history file cannot be opened, read or written."""
