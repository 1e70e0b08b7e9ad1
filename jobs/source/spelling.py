"""How values are written: a new one in the style of the old, so that the old one comes back."""

import re
from decimal import Decimal

from jobs.source.script import Value

_PAIR = re.compile(r"^([(\[]?\s*)(\d+)(\s*,\s*)(\d+)(\s*,?\s*[)\]]?)$")
_TEXT = re.compile(r"^([rRuU]?)('|\")([^'\"\\]*)\2$")
_EXPONENT = re.compile(r"^(\d+)(\.\d+)?([eE])([-+]?)(\d+)$")
_NUMBER = re.compile(r"^\d+(\.\d*)?$|^\.\d+$")


def spelled(old: str, new: Value) -> str:
    """``new`` as it would be written by whoever wrote ``old``."""
    found = _PAIR.match(old)
    if found and isinstance(new, int) and not isinstance(new, bool):
        return f"{found[1]}{new}{found[3]}{new}{found[5]}"
    if isinstance(new, str):
        return _text(old, new)
    if isinstance(new, float):
        return _float(old, new)
    return repr(new)


def _text(old: str, new: str) -> str:
    found = _TEXT.match(old)
    if not found:
        return f'"{new}"'
    return f"{found[1]}{found[2]}{new}{found[2]}"


def _float(old: str, new: float) -> str:
    exact = Decimal(repr(new))
    found = _EXPONENT.match(old)
    text = _exponent(exact, found) if found and new else format(exact, "f")
    if not found and old.startswith(".") and text.startswith("0."):
        text = text[1:]
    return text if float(text) == new else repr(new)


def _exponent(exact: Decimal, style: re.Match[str]) -> str:
    """Scientific notation with the capital, the plus sign and the zeros of ``style``."""
    power = exact.adjusted()
    mantissa = format(exact.scaleb(-power).normalize(), "f")
    if style[2] and "." not in mantissa:
        mantissa += ".0"
    sign = "-" if power < 0 else ("+" if style[4] == "+" else "")
    digits = str(abs(power)).zfill(len(style[5]))
    return f"{mantissa}{style[3]}{sign}{digits}"


def comes_back(old: str, old_value: Value, new: Value) -> bool:
    """Whether writing ``new`` and then the old value again gives the very same characters."""
    if not (_PAIR.match(old) or _TEXT.match(old) or _EXPONENT.match(old) or _NUMBER.match(old)):
        return old in ("True", "False") and isinstance(new, bool)
    return spelled(spelled(old, new), old_value) == old
