"""The exceptions that mean "the input is at fault, not the program"."""


class UserError(ValueError):
    """Bad input, said in one line: which file or key, what was found, what to do about it.

    The command line prints the message alone and exits with status 1.
    """


class OutputError(UserError):
    """Something cannot be written: whatever was read is not to blame."""
