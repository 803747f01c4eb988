"""The one exception that means: the person, not the program, has to change something."""


class UserError(Exception):
    """One plain sentence naming the key, the value and what is allowed; the command line ends with exit code 2."""
