"""The error that a command reports to its operator."""


class OperatorError(Exception):
    """A command cannot continue.

    :param what: one sentence: what happened.
    :param remedy: what to do next.
    :param command: a command to paste, or several, one per line. Each is shown on a line of its own.
    """

    def __init__(self, what: str, remedy: str, command: str = "") -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what
        self.remedy = remedy
        self.command = command


class PermissionDeniedError(OperatorError):
    """AWS or another service knows the credentials, but does not allow the action."""
