"""What is wrong with a command line."""


class BadArguments(Exception):
    """The arguments cannot be meant; the message names the option and what to write instead."""
