"""Install and remove the git hooks: post-commit in a clone, post-receive in a bare repository.

What is installed is a few lines that run the hook that was there before, and then Retune's own
where the repository's configuration says ``retune.hooks = true``. So a folder of hooks that
several repositories share (``core.hooksPath``) may hold it: the others are not concerned.
"""

import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from jobs.errors import RetuneError

ROOT = Path(__file__).resolve().parents[1]
SWITCH = "retune.hooks"
_MARK = "# Installed by Retune: `python -m jobs hooks remove` takes it away."
_KEPT = ".before-retune"
_TEMPLATE = """\
#!/bin/sh
{mark}
# Runs the hook that was here before, then Retune's where `git config {switch}` says true.
hook={hook}
before="$0{kept}"
status=0
input=$(cat)
if [ -x "$before" ]; then
    printf '%s\\n' "$input" | "$before" "$@" || status=$?
fi
if [ "$(git config --bool {switch})" = true ]; then
    if [ -x "$hook" ]; then
        printf '%s\\n' "$input" | "$hook" "$@"
    else
        echo "Retune: $hook is gone; install the hooks again from where Retune is now." >&2
    fi
fi
exit $status
"""


@dataclass(frozen=True)
class _Place:
    """Where git looks for the hook of this repository. ``shared``: with other repositories."""

    repository: Path
    hook: str
    folder: Path
    shared: bool

    @property
    def file(self) -> Path:
        return self.folder / self.hook

    @property
    def kept(self) -> Path:
        return self.folder / f"{self.hook}{_KEPT}"

    @property
    def installed(self) -> bool:
        try:
            return _MARK in self.file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return False


def install(folder: Path) -> list[str]:
    """Install the hook that fits the repository, beside one that is there already.

    Gives lines that say what was done. Raises RetuneError where there is no repository or where
    its hooks cannot be written.
    """
    place = _place(folder)
    said = []
    text = _TEMPLATE.format(
        mark=_MARK, switch=SWITCH, hook=shlex.quote(str(ROOT / "hooks" / place.hook)), kept=_KEPT
    )
    try:
        place.folder.mkdir(parents=True, exist_ok=True)
        if not place.installed and (place.file.exists() or place.file.is_symlink()):
            place.file.rename(place.kept)
            said.append(f"The {place.hook} hook that was there is kept and runs first.")
        unfinished = place.folder / f".{place.hook}.retune"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(0o755)
        unfinished.replace(place.file)
    except OSError as error:
        raise RetuneError(
            f"The hook {place.file} cannot be written ({error.strerror}); git looks for hooks in "
            "that folder, see `git config core.hooksPath`."
        ) from error
    _git(place.repository, "config", SWITCH, "true")
    what = (
        "every push to it starts a study"
        if place.hook == "post-receive"
        else "every commit in it is pushed"
    )
    return [*said, f"{place.file} is installed: {what}."]


def remove(folder: Path) -> list[str]:
    """Take away what install has made, and put back the hook that was there before.

    Gives lines that say what was done. Raises RetuneError as install does.
    """
    place = _place(folder)
    if _git_value(place.repository, "config", "--local", "--get", SWITCH):
        _git(place.repository, "config", "--local", "--unset-all", SWITCH)
    if not place.installed:
        return [f"There is no hook of Retune's in {place.folder}: nothing to remove."]
    if place.shared:
        return [
            f"Retune's hook no longer does anything in {place.repository}; the file {place.file} "
            "stays, since other repositories share that folder."
        ]
    try:
        if place.kept.exists() or place.kept.is_symlink():
            place.kept.replace(place.file)
            return [f"{place.file} is the hook again that was there before."]
        place.file.unlink()
    except OSError as error:
        raise RetuneError(
            f"The hook {place.file} cannot be removed ({error.strerror}); remove it by hand."
        ) from error
    return [f"{place.file} is removed."]


def _place(folder: Path) -> _Place:
    bare = _git(folder, "rev-parse", "--is-bare-repository") == "true"
    if not bare:  # a relative core.hooksPath starts there
        folder = Path(_git(folder, "rev-parse", "--show-toplevel"))
    hooks = folder / _git(folder, "rev-parse", "--git-path", "hooks")
    scope = _git_value(folder, "config", "--show-scope", "--get", "core.hooksPath").split("\t")[0]
    return _Place(
        repository=folder.absolute(),
        hook="post-receive" if bare else "post-commit",
        folder=hooks.absolute(),
        shared=scope not in ("", "local", "worktree"),
    )


def _git(folder: Path, *arguments: str) -> str:
    done = _run_git(folder, *arguments)
    if done.returncode:
        said = done.stderr.strip().removeprefix("fatal: ").partition("\n")[0]
        raise RetuneError(f"git cannot use {folder} ({said}); name a clone or a bare repository.")
    return done.stdout.strip()


def _git_value(folder: Path, *arguments: str) -> str:
    """What git prints, empty where there is no such value."""
    return _run_git(folder, *arguments).stdout.strip()


def _run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")
    }
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise RetuneError(f"There is no folder {folder}, or no git to look at it.") from error
