"""Git as the jobs use it, on real repositories."""

import subprocess
from pathlib import Path

import pytest

from jobs.errors import RetuneError
from jobs.repository import CommitGoneError, RemoteError, Repository, best_branch, check_push

MESSAGE = "Trial 1: dropout1.rate 0 → 0.3\n\nRetune-Study: main-1\nRetune-Trial: 1\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A. Pusher", "-c", "user.email=a@example.com"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "remote.git")
    git(tmp_path, "clone", "--quiet", "remote.git", "clone")
    return tmp_path / "clone"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(str(tmp_path / "remote.git"), tmp_path / "home" / "mirrors" / "remote.git")


def push(clone: Path, text: str, *options: str) -> str:
    (clone / "cnn.py").write_bytes(text.encode())
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "--allow-empty", "--message", f"Say {text.strip()[:10]}")
    git(clone, "push", "--quiet", *options, "origin", "HEAD:refs/heads/main")
    return git(clone, "rev-parse", "HEAD")


def test_checkout_is_the_pushed_commit_and_not_the_moving_tip(
    clone: Path, repository: Repository, tmp_path: Path
) -> None:
    first = push(clone, "one = 1\n")
    push(clone, "two = 2\n")
    repository.fetch()
    repository.require_on_branch("main", first)
    repository.check_out(first, tmp_path / "source" / "0")
    assert (tmp_path / "source" / "0" / "cnn.py").read_text() == "one = 1\n"
    assert [each.name for each in (tmp_path / "source").iterdir()] == ["0"]


def test_checkout_and_trial_commit_keep_bytes_against_git_attributes(
    clone: Path, repository: Repository, tmp_path: Path
) -> None:
    git(clone, "config", "core.autocrlf", "false")
    (clone / ".gitattributes").write_text("* text=auto eol=crlf\n")
    commit = push(clone, "a = 1\nb = 2\n")
    repository.fetch()
    repository.check_out(commit, tmp_path / "checkout")
    assert (tmp_path / "checkout" / "cnn.py").read_bytes() == b"a = 1\nb = 2\n"
    made = repository.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 9\r\nb = 2\n"}, MESSAGE)
    repository.check_out(made, tmp_path / "trial")
    assert (tmp_path / "trial" / "cnn.py").read_bytes() == b"a = 9\r\nb = 2\n"


def test_trial_commit_has_its_parent_and_trailers_and_is_made_once(
    clone: Path, repository: Repository
) -> None:
    commit = push(clone, "a = 1\n")
    repository.fetch()
    made = repository.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 2\n"}, MESSAGE)
    again = repository.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 3\n"}, MESSAGE)
    assert made == again
    facts = repository.facts(made)
    assert facts.trailers == {"Retune-Study": "main-1", "Retune-Trial": "1"}
    repository.push(made, "retune/main-1/1")
    git(clone, "fetch", "--quiet")
    assert git(clone, "rev-parse", "origin/retune/main-1/1^") == commit
    assert git(clone, "diff", "--stat", commit, made).endswith("1 insertion(+), 1 deletion(-)")
    assert "+a = 2" in repository.diff(commit, made)
    assert "retune/main-1/1" in repository.graph("main-1")


def test_a_commit_made_ahead_is_taken_where_it_is_there_and_follows_the_parent(
    clone: Path, repository: Repository
) -> None:
    commit = push(clone, "a = 1\n")
    repository.fetch()
    changes = {"cnn.py": b"a = 2\n"}
    ahead = repository.make_commit(commit, changes, MESSAGE)
    assert repository.graph("main-1") == ""
    taken = repository.commit_trial("main-1", 1, commit, changes, MESSAGE, ahead=ahead)
    assert taken == ahead
    assert ahead[:7] in repository.graph("main-1")
    for number, wrong in enumerate(("0" * 40, commit), start=2):
        made = repository.commit_trial("main-1", number, commit, changes, MESSAGE, ahead=wrong)
        assert made != wrong
        assert "+a = 2" in repository.diff(commit, made)


def test_a_trial_commit_pushed_by_another_agent_is_reused(
    clone: Path, repository: Repository, tmp_path: Path
) -> None:
    commit = push(clone, "a = 1\n")
    repository.fetch()
    made = repository.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 2\n"}, MESSAGE)
    repository.push(made, "retune/main-1/1")
    other = Repository(repository.url, tmp_path / "other" / "mirror.git")
    other.fetch()
    assert other.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 3\n"}, MESSAGE) == made


def test_executable_files_stay_executable(clone: Path, repository: Repository) -> None:
    (clone / "cnn.py").write_text("a = 1\n")
    (clone / "cnn.py").chmod(0o755)
    commit = push(clone, "a = 1\n")
    repository.fetch()
    made = repository.commit_trial("main-1", 1, commit, {"cnn.py": b"a = 2\n"}, MESSAGE)
    repository.push(made, best_branch("main-1"))
    git(clone, "fetch", "--quiet")
    assert git(clone, "ls-tree", made, "cnn.py").startswith("100755")


def test_remote_away_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    repository = Repository(str(tmp_path / "gone.git"), tmp_path / "mirrors" / "gone.git")
    with pytest.raises(RemoteError, match=r"The remote .*gone\.git cannot be fetched .*see that"):
        repository.fetch()
    assert [each.name for each in (tmp_path / "mirrors").iterdir() if each.is_dir()] == []


def test_force_push_meanwhile_is_said(clone: Path, repository: Repository) -> None:
    push(clone, "a = 1\n")
    replaced = push(clone, "a = 2\n")
    git(clone, "reset", "--quiet", "--hard", "HEAD~1")
    now = push(clone, "a = 3\n", "--force")
    repository.fetch()
    with pytest.raises(CommitGoneError, match=f"{replaced[:7]} is no longer on main.*{now[:7]}"):
        repository.require_on_branch("main", replaced)


def test_deleted_branch_is_said(clone: Path, repository: Repository) -> None:
    commit = push(clone, "a = 1\n")
    git(clone.parent / "remote.git", "config", "receive.denyDeleteCurrent", "ignore")
    git(clone, "push", "--quiet", "origin", "HEAD:refs/heads/topic", ":refs/heads/main")
    repository.fetch()
    with pytest.raises(CommitGoneError, match="The branch main is no longer on the remote"):
        repository.require_on_branch("main", commit)


def test_unknown_commit_is_said(clone: Path, repository: Repository, tmp_path: Path) -> None:
    push(clone, "a = 1\n")
    repository.fetch()
    with pytest.raises(CommitGoneError, match="Commit 0123456 is not in"):
        repository.check_out("0123456" + "0" * 33, tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_a_refused_push_is_said(clone: Path, repository: Repository, tmp_path: Path) -> None:
    commit = push(clone, "a = 1\n")
    repository.fetch()
    hook = tmp_path / "remote.git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(RemoteError, match="did not take retune/main-1/best"):
        repository.push(commit, "retune/main-1/best")


def test_only_own_branches_are_pushed(repository: Repository) -> None:
    with pytest.raises(ValueError, match="not one of Retune's"):
        repository.push("0" * 40, "main")


def test_passwords_in_the_url_are_not_shown(tmp_path: Path) -> None:
    repository = Repository("https://me:s3cret@127.0.0.1:1/x.git", tmp_path / "x.git")
    with pytest.raises(RemoteError) as caught:
        repository.fetch()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("branch", "commit"),
    [
        ("main", "abc"),
        ("main", "--upload-pack=x" + "0" * 25),
        ("-main", "0" * 40),
        ("a..b", "0" * 40),
        ("a b", "0" * 40),
        ("a;$(x)\n", "0" * 40),
        ("", "0" * 40),
        ("x.lock", "0" * 40),
    ],
)
def test_what_git_would_not_send_is_refused(branch: str, commit: str) -> None:
    with pytest.raises(RetuneError):
        check_push(branch, commit)


def test_plain_pushes_are_taken() -> None:
    check_push("feature/more-filters_2", "0" * 40)
