"""The one exception that means "the input is at fault, not the program"."""


class UserError(ValueError):
    """Bad input, said in one line: which file or key, what was found, what to do about it.

    The command line prints the message alone and exits with status 1.
    """
