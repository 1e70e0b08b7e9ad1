"""Installing the hooks and taking them out again."""

from pathlib import Path

import pytest

from jobs import hooks
from jobs.errors import RetuneError

from .conftest import Git


def test_a_clone_gets_post_commit_and_a_bare_repository_post_receive(git: Git, remote: Git) -> None:
    assert "every commit in it is pushed" in hooks.install(git.folder)[-1]
    assert "every push to it starts a study" in hooks.install(remote.folder)[-1]
    assert (git.folder / ".git" / "hooks" / "post-commit").stat().st_mode & 0o111
    assert (remote.folder / "hooks" / "post-receive").stat().st_mode & 0o111


def test_installed_twice_it_is_there_once_and_removed_nothing_is_left(git: Git) -> None:
    folder = git.folder / ".git" / "hooks"
    before = sorted(folder.iterdir())
    hooks.install(git.folder)
    hooks.install(git.folder)
    assert hooks.remove(git.folder) == [f"{folder / 'post-commit'} is removed."]
    assert sorted(folder.iterdir()) == before
    assert git.run("config", "--get-regexp", "^retune", check=False).stdout == ""
    [said] = hooks.remove(git.folder)
    assert said.endswith("nothing to remove.")


def test_an_existing_hook_runs_first_and_comes_back(git: Git, remote: Git) -> None:
    hook = git.folder / ".git" / "hooks" / "post-commit"
    hook.write_text("#!/bin/sh\necho mine\n")
    hook.chmod(0o755)
    hooks.install(git.folder)
    hooks.install(git.folder)
    assert "mine" in git.commit()
    assert remote("rev-parse", "main") == git.head
    assert "is the hook again that was there before" in hooks.remove(git.folder)[0]
    assert hook.read_text() == "#!/bin/sh\necho mine\n"


def test_a_hook_that_was_switched_off_stays_switched_off(git: Git) -> None:
    hook = git.folder / ".git" / "hooks" / "post-commit"
    hook.write_text("#!/bin/sh\necho mine\n")
    hook.chmod(0o644)
    hooks.install(git.folder)
    assert "mine" not in git.commit()


def test_hooks_path_of_the_repository_is_respected(git: Git, remote: Git) -> None:
    git("config", "core.hooksPath", ".githooks")
    (git.folder / "deep").mkdir()
    hooks.install(git.folder / "deep")
    assert (git.folder / ".githooks" / "post-commit").exists()
    git.commit()
    assert remote("rev-parse", "main") == git.head
    hooks.remove(git.folder)
    assert not (git.folder / ".githooks" / "post-commit").exists()


def test_a_shared_hooks_path_concerns_no_other_repository(
    git: Git, remote: Git, tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    git("config", "--global", "core.hooksPath", str(shared))
    hooks.install(git.folder)
    git.commit()
    assert remote("rev-parse", "main") == git.head

    git.at(tmp_path)("clone", "--quiet", "remote.git", "another")
    another = git.at(tmp_path / "another")
    another.commit(text="model = 2\n")
    assert remote("rev-parse", "main") == git.head

    [said] = hooks.remove(git.folder)
    assert "other repositories share that folder" in said
    head = git.head
    git.commit(text="model = 3\n")
    assert remote("rev-parse", "main") == head


def test_from_a_linked_worktree_the_hook_of_all_of_them_is_installed(
    git: Git, remote: Git, tmp_path: Path
) -> None:
    git.commit()
    git("worktree", "add", "--quiet", "-b", "second", str(tmp_path / "second"))
    hooks.install(tmp_path / "second")
    assert (git.folder / ".git" / "hooks" / "post-commit").exists()
    git.commit(text="model = 2\n")
    assert remote("rev-parse", "main") == git.head


def test_no_repository_is_one_sentence(git: Git, tmp_path: Path) -> None:
    with pytest.raises(RetuneError, match=r"git cannot use .*; name a clone or a bare repository"):
        hooks.install(tmp_path)
    with pytest.raises(RetuneError, match=r"There is no folder .*/nowhere"):
        hooks.install(tmp_path / "nowhere")


def test_hooks_that_are_switched_off_by_path_are_one_sentence(git: Git) -> None:
    git("config", "core.hooksPath", "/dev/null")
    with pytest.raises(RetuneError, match=r"/dev/null/post-commit cannot be written"):
        hooks.install(git.folder)


def test_a_checkout_that_moved_is_said_and_fails_nothing(
    git: Git, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "ROOT", Path("/moved away"))
    hooks.install(git.folder)
    assert "/moved away/hooks/post-commit is gone; install the hooks again" in git.commit()
