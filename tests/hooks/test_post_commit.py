"""hooks/post-commit by real commits."""

from pathlib import Path

import pytest

from jobs import hooks

from .conftest import Git


@pytest.fixture
def hooked(git: Git) -> Git:
    hooks.install(git.folder)
    return git


def test_a_commit_is_pushed(hooked: Git, remote: Git) -> None:
    hooked.commit()
    assert remote("rev-parse", "main") == hooked.head


def test_the_remote_may_answer(hooked: Git, remote: Git) -> None:
    hook = remote.folder / "hooks" / "post-receive"
    hook.write_text("#!/bin/sh\necho study starts\n")
    hook.chmod(0o755)
    assert "study starts" in hooked.commit()


def test_a_partial_commit_is_pushed_as_well(hooked: Git, remote: Git) -> None:
    hooked.commit()
    (hooked.folder / "cnn.py").write_text("model = 2\n")
    (hooked.folder / "other.py").write_text("x = 1\n")
    hooked("add", "other.py")
    hooked("commit", "--quiet", "--message", "Only one", "--only", "cnn.py")
    assert remote("rev-parse", "main") == hooked.head
    assert hooked("status", "--porcelain") == "A  other.py"


def test_a_branch_goes_to_its_own_name_even_where_it_tracks_another(
    hooked: Git, remote: Git
) -> None:
    hooked.commit()
    first = hooked.head
    hooked("fetch", "--quiet")
    hooked("checkout", "--quiet", "-b", "topic", "--track", "origin/main")
    hooked.commit(text="model = 2\n")
    assert remote("rev-parse", "topic") == hooked.head
    assert remote("rev-parse", "main") == first


def test_the_upstream_is_used_where_git_is_told_to(hooked: Git, remote: Git) -> None:
    hooked.commit()
    hooked("fetch", "--quiet")
    hooked("checkout", "--quiet", "-b", "topic", "--track", "origin/main")
    hooked("config", "push.default", "upstream")
    hooked.commit(text="model = 2\n")
    assert remote("rev-parse", "main") == hooked.head


def test_a_commit_on_a_detached_head_is_not_pushed(hooked: Git, remote: Git) -> None:
    hooked.commit()
    first = hooked.head
    hooked("checkout", "--quiet", "--detach")
    hooked.commit(text="model = 2\n")
    assert remote("for-each-ref", "--format=%(objectname)") == first


def test_nothing_is_pushed_in_the_middle_of_a_rebase(hooked: Git, remote: Git) -> None:
    hooked.commit("a.py")
    base = hooked.head
    hooked.commit("b.py")
    hooked("checkout", "--quiet", "-b", "topic", base)
    hooked.commit("c.py")
    pushed = hooked.head
    hooked("rebase", "--quiet", "--force-rebase", "main")
    assert hooked.head != pushed
    assert remote("rev-parse", "topic") == pushed


def test_nothing_is_pushed_in_the_middle_of_cherry_picks(hooked: Git, remote: Git) -> None:
    hooked.commit("a.py")
    base = hooked.head
    hooked.commit("b.py")
    hooked.commit("c.py")
    hooked("checkout", "--quiet", "-b", "topic", base)
    hooked("cherry-pick", "main~1", "main")
    assert remote("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_commits_on_retunes_own_branches_stay_here(hooked: Git, remote: Git) -> None:
    hooked.commit()
    hooked("checkout", "--quiet", "-b", "retune/main-1234567/best")
    assert "one of Retune's own branches" in hooked.commit(text="model = 2\n")
    assert remote("for-each-ref", "--format=%(refname)") == "refs/heads/main"


def test_a_push_that_fails_fails_no_commit(hooked: Git, remote: Git) -> None:
    hooked.commit()
    hooked("commit", "--quiet", "--amend", "--message", "Said better")
    assert hooked("log", "-1", "--format=%s") == "Said better"
    said = hooked.commit(text="model = 2\n")
    assert "Retune: main was not pushed to origin" in said
    assert hooked("log", "-1", "--format=%s") == "Change cnn.py"


def test_without_a_remote_it_says_so(hooked: Git) -> None:
    hooked("remote", "remove", "origin")
    assert "there is no remote to push main to" in hooked.commit()


def test_the_only_remote_is_taken_and_among_several_the_default(
    hooked: Git, remote: Git, tmp_path: Path
) -> None:
    hooked("remote", "rename", "origin", "server")
    hooked.commit()
    assert remote("rev-parse", "main") == hooked.head
    other = hooked.at(tmp_path)
    other("init", "--quiet", "--bare", "other.git")
    hooked("remote", "add", "other", str(tmp_path / "other.git"))
    assert "there is no remote to push topic to" in _commit_on_topic(hooked)
    hooked("config", "remote.pushDefault", "other")
    hooked.commit(text="model = 3\n")
    assert hooked.at(tmp_path / "other.git")("rev-parse", "topic") == hooked.head


def _commit_on_topic(git: Git) -> str:
    git("checkout", "--quiet", "-b", "topic")
    return git.commit(text="model = 2\n")


def test_a_linked_worktree_pushes_its_own_branch(hooked: Git, remote: Git, tmp_path: Path) -> None:
    hooked.commit()
    hooked("worktree", "add", "--quiet", "-b", "second", str(tmp_path / "second"))
    second = hooked.at(tmp_path / "second")
    second.commit(text="model = 2\n")
    assert remote("rev-parse", "second") == second.head
    assert remote("rev-parse", "main") == hooked.head
