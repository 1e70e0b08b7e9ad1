"""Texts of others (commits, consoles, scripts) as pages, mails and XML can hold them."""

import re

UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
"""What XML 1.0 (section 2.2, Char) does not allow, and the control characters beside it."""


def printable(text: str) -> str:
    """The text with ``\ufffd`` for what is no character, such as bytes that are no UTF-8.

    git's output comes with lone surrogates for such bytes, and no encoder takes them.
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return UNPRINTABLE.sub("\ufffd", whole.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    return " ".join(printable(text).split())
