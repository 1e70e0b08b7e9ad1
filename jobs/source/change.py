"""One change to a checkout after another, each read again before the next."""

from collections.abc import Collection, Mapping

from jobs.errors import RetuneError
from jobs.source.analysis import Analysis, analyse
from jobs.source.files import Checkout, Edit, UnreadableError


class CannotRewrite(RetuneError):  # noqa: N818
    """The tweak cannot be applied; the message says to what, and why."""


class Change:
    """A checkout on its way from the pushed script to the tweaked one."""

    def __init__(self, checkout: Checkout, script: str, hold: Collection[str]) -> None:
        self.checkout = checkout
        self.script = script
        self.hold = tuple(hold)
        self.analysis: Analysis = analyse(checkout, script, hold)

    def look(self, files: Mapping[str, bytes]) -> Analysis:
        """What the script would be with other contents of some files. Raises CannotRewrite."""
        try:
            return analyse(self.checkout.with_changes(files), self.script, self.hold)
        except UnreadableError as error:
            raise CannotRewrite(
                f"{self.script} would no longer parse: it {error.reason}."
            ) from error

    def take(self, analysis: Analysis) -> None:
        self.analysis, self.checkout = analysis, analysis.checkout

    def apply(self, edits: list[Edit]) -> None:
        """Make edits, in any number of files. Raises CannotRewrite."""
        self.take(self.look(self.written(edits)))

    def written(self, edits: list[Edit]) -> dict[str, bytes]:
        paths = {edit.site.path for edit in edits}
        return {
            path: self.analysis.sources(path).edited(
                _distinct([edit for edit in edits if edit.site.path == path])
            )
            for path in sorted(paths)
        }

    def put(self, files: Mapping[str, bytes]) -> None:
        self.take(self.look(files))


def _distinct(edits: list[Edit]) -> list[Edit]:
    """The same edit twice (a helper's line, seen once for each layer) is one edit."""
    found: list[Edit] = []
    for edit in edits:
        if edit not in found or (not edit.text and edit.site.start == edit.site.end):
            found.append(edit)
    return found
