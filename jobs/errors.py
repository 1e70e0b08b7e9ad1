"""Errors that a user or an operator can do something about."""


class RetuneError(Exception):
    """One clear sentence: what was wrong, where, and what to do.

    The command line prints it without a traceback and exits with status 1.
    """


class SettingsError(RetuneError):
    """A setting of the operator or of ``retune.toml`` does not hold."""
