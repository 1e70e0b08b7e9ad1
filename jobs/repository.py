"""Git: the mirror of the remote, checkouts of single commits, trial commits, pushes."""

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import mkdtemp

import git
from filelock import FileLock
from git.exc import BadName, GitCommandError
from git.index.typ import BaseIndexEntry
from gitdb.base import IStream
from gitdb.exc import BadObject

from jobs.errors import RetuneError

OWN_BRANCHES = "retune/"
"""Branches below this are Retune's own; a push to one starts no study."""

STUDY_TRAILER, TRIAL_TRAILER, PARENT_TRAILER = "Retune-Study", "Retune-Trial", "Retune-Parent"

_AUTHOR = git.Actor("Retune", "retune@localhost")
_FETCH = "+refs/heads/*:refs/remotes/origin/*"
# Blobs are read and written as they are: no line-ending conversion, no filter programs.
_ATTRIBUTES = "* -text -eol -filter -ident -working-tree-encoding\n"
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -oBatchMode=yes"}


class RemoteError(RetuneError):
    """The remote did not answer or did not take a push."""


class CommitGoneError(RetuneError):
    """A commit that was pushed is no longer on its branch."""


@dataclass(frozen=True)
class CommitFacts:
    """What a study records of a commit; ``trailers`` by their names."""

    commit: str
    author: str
    email: str
    subject: str
    trailers: Mapping[str, str]


def trial_branch(study: str, trial: int) -> str:
    return f"{OWN_BRANCHES}{study}/{trial}"


def best_branch(study: str) -> str:
    return f"{OWN_BRANCHES}{study}/best"


def check_push(branch: str, commit: str) -> None:
    """Raise RetuneError unless both are what git would print for a push."""
    if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", commit):
        raise RetuneError(
            f"The commit {commit[:80]!r} is not a full commit id; give all of its 40 hex digits."
        )
    forbidden = bool(re.search(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.lock(/|$)|/\.", branch))
    try:
        branch.encode()
    except UnicodeEncodeError:  # JSON may hold halves of characters, which no git does
        forbidden = True
    if not branch or forbidden or branch[0] in "-./" or branch[-1] in "./":
        raise RetuneError(f"{branch[:80]!r} is not a branch name; give it without refs/heads/.")


class Repository:
    """The operator's model repository, by a bare mirror of its branches in the home folder.

    All calls raise RetuneError with one sentence where git or the remote refuses.
    """

    def __init__(self, url: str, mirror: Path) -> None:
        self.url, self.path = url, mirror
        self._lock = FileLock(mirror.with_suffix(".lock"))

    # The mirror ------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Bring the mirror up to date; makes it where there is none."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            if not self.path.exists():
                self._create()
            mirror = self._mirror()
            with _remote_errors(f"The remote {_shown(self.url)} cannot be fetched"):
                # The operator may have moved the remote since.
                mirror.git.fetch("--prune", "--quiet", "--no-tags", self.url, _FETCH)

    def _create(self) -> None:
        unfinished = Path(mkdtemp(prefix=".mirror-", dir=self.path.parent))
        try:
            repo = git.Repo.init(unfinished, bare=True)
            (unfinished / "info").mkdir(exist_ok=True)
            (unfinished / "info" / "attributes").write_text(_ATTRIBUTES)
            with _remote_errors(f"The remote {_shown(self.url)} cannot be fetched"):
                repo.git.update_environment(**_ENVIRONMENT)
                repo.git.fetch("--quiet", "--no-tags", self.url, _FETCH)
            unfinished.rename(self.path)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _mirror(self) -> git.Repo:
        repo = git.Repo(self.path)
        repo.git.update_environment(**_ENVIRONMENT)
        return repo

    def has(self, commit: str) -> bool:
        if not self.path.exists():
            return False
        try:
            self._mirror().commit(commit)
        except (BadName, BadObject, ValueError):
            return False
        return True

    def require_on_branch(self, branch: str, commit: str) -> None:
        """Raise CommitGoneError unless the branch of the remote contains the commit."""
        mirror = self._mirror()
        short = commit[:7]
        try:
            tip = mirror.commit(f"refs/remotes/origin/{branch}")
        except (BadName, BadObject, ValueError) as error:
            raise CommitGoneError(
                f"The branch {branch} is no longer on the remote, so commit {short} is not "
                "trained; push it again if it is wanted."
            ) from error
        if not self.has(commit) or not mirror.is_ancestor(mirror.commit(commit), tip):
            raise CommitGoneError(
                f"Commit {short} is no longer on {branch}, which is at {tip.hexsha[:7]}: it was "
                "replaced by a force-push, and that push starts a study of its own."
            )

    def facts(self, commit: str) -> CommitFacts:
        found = self._commit(commit)
        message = _text(found.message)
        trailers = {key: values[-1] for key, values in found.trailers_dict.items()}
        return CommitFacts(
            commit=found.hexsha,
            author=found.author.name or "",
            email=found.author.email or "",
            subject=message.partition("\n")[0],
            trailers=trailers,
        )

    def _commit(self, commit: str) -> git.Commit:
        try:
            return self._mirror().commit(commit)
        except (BadName, BadObject, ValueError) as error:
            raise CommitGoneError(
                f"Commit {commit[:7]} is not in {_shown(self.url)}; push it again."
            ) from error

    # Working with commits --------------------------------------------------------------------

    def check_out(self, commit: str, folder: Path) -> None:
        """Put the files of exactly this commit into ``folder``, which appears whole."""
        if folder.exists():
            return
        found = self._commit(commit)
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        unfinished.chmod(0o755)
        try:
            files = unfinished / "files"
            files.mkdir()
            mirror = self._mirror()
            where = {"GIT_INDEX_FILE": str(unfinished / "index"), "GIT_DIR": str(self.path)}
            try:
                with mirror.git.custom_environment(GIT_WORK_TREE=str(files), **where):
                    mirror.git.read_tree(found.hexsha)
                    mirror.git.checkout_index("--all")
            except (GitCommandError, OSError) as error:
                raise RetuneError(
                    f"Commit {commit[:7]} cannot be checked out ({_reason(error)})."
                ) from error
            files.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def make_commit(
        self, parent: str, changes: Mapping[str, bytes], message: str, *, wait: float = -1
    ) -> str:
        """Commit changed files on top of ``parent``, in no branch; give the commit id.

        ``wait``: seconds for whoever else is at work in the mirror, without an end where it is
        negative. Raises filelock.Timeout after them.
        """
        mirror = self._mirror()
        with self._lock.acquire(timeout=wait):
            base = self._commit(parent)
            index = git.IndexFile.from_tree(mirror, base)
            for path, content in changes.items():
                stored = mirror.odb.store(IStream("blob", len(content), BytesIO(content)))
                mode = (base.tree / path).mode
                index.add([BaseIndexEntry((mode, stored.binsha, 0, path))], write=False)
            made = git.Commit.create_from_tree(
                mirror,
                index.write_tree(),
                message,
                parent_commits=[base],
                author=_AUTHOR,
                committer=_AUTHOR,
            )
            return made.hexsha

    def commit_trial(
        self,
        study: str,
        trial: int,
        parent: str,
        changes: Mapping[str, bytes],
        message: str,
        *,
        ahead: str | None = None,
    ) -> str:
        """Commit changed files on top of ``parent`` as the trial's branch; give the commit id.

        Where the branch exists already, its commit is given and nothing is made. ``ahead``: the id
        that ``make_commit`` gave for the same, which is taken if it is still there.
        """
        mirror = self._mirror()
        reference = f"refs/heads/{trial_branch(study, trial)}"
        with self._lock:
            for each in (reference, f"refs/remotes/origin/{trial_branch(study, trial)}"):
                if known := _resolve(mirror, each):
                    return known
            if ahead is not None and self._follows(ahead, parent):
                made = ahead
            else:
                made = self.make_commit(parent, changes, message)
            mirror.git.update_ref(reference, made)
            return made

    def _follows(self, commit: str, parent: str) -> bool:
        """Whether a commit is in the mirror, and follows another one alone."""
        try:
            return [each.hexsha for each in self._commit(commit).parents] == [parent]
        except (CommitGoneError, ValueError):  # GitPython reads a full id only when asked
            return False

    def push(self, commit: str, branch: str) -> None:
        """Set one of Retune's own branches of the remote to a commit."""
        if not branch.startswith(OWN_BRANCHES):
            raise ValueError(f"{branch} is not one of Retune's branches")
        mirror = self._mirror()
        with _remote_errors(f"The remote {_shown(self.url)} did not take {branch}"):
            mirror.git.push("--quiet", "--force", self.url, f"{commit}:refs/heads/{branch}")
        mirror.git.update_ref(f"refs/heads/{branch}", commit)

    def diff(self, before: str, after: str) -> str:
        """The unified diff between two commits, empty where they are the same."""
        return str(self._mirror().git.diff("--no-color", "--no-ext-diff", before, after))

    def graph(self, study: str) -> str:
        """``git log --graph`` of the study's trials, newest first."""
        branches = f"refs/heads/{OWN_BRANCHES}{study}"
        mirror = self._mirror()
        heads = mirror.git.for_each_ref("--format=%(refname)", branches).split()
        if not heads:
            return ""
        base = mirror.git.merge_base("--octopus", *heads) if len(heads) > 1 else heads[0]
        # From the pushed commit on: the branch's older history is not the search.
        boundary = [f"^{base}^@"]
        return str(
            mirror.git.log(
                "--graph", "--no-color", "--format=%h%d %s", "--topo-order", *heads, *boundary
            )
        ).replace("refs/heads/", "")


def _resolve(repo: git.Repo, reference: str) -> str | None:
    try:
        return str(repo.commit(reference).hexsha)
    except (BadName, BadObject, ValueError):
        return None


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _shown(url: str) -> str:
    """The URL without a password."""
    return re.sub(r"(?<=//)[^/@]*@", "", url)


@contextmanager
def _remote_errors(beginning: str) -> Iterator[None]:
    try:
        yield
    except (GitCommandError, OSError) as error:
        raise RemoteError(
            f"{beginning} ({_reason(error)}); see that it is reachable and that "
            "RETUNE_REPOSITORY and its access rights are right."
        ) from error


def _reason(error: GitCommandError | OSError) -> str:
    """What git said of it, in one line and without a password."""
    said = str(error.stderr if isinstance(error, GitCommandError) else error)
    lines = [line.strip(" '") for line in said.replace("stderr:", "").splitlines()]
    told = [line for line in lines if line and not line.startswith("hint:")]
    cause = next((line for line in told if line.startswith(("fatal:", "error:"))), None)
    return _shown(cause or (told[0] if told else "git gave no reason"))[:300]
