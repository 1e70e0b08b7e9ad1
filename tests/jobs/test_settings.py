"""What the operator and the pusher may say, and the sentences they get for what they may not."""

import re
from pathlib import Path

import pytest

from jobs import settings
from jobs.errors import SettingsError
from jobs.settings import RepositorySettings, Settings, provenance, read_repository_settings

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    import os

    for name in [each for each in os.environ if each.startswith("RETUNE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path))
    return tmp_path


def test_defaults() -> None:
    held = settings.load()
    assert held.target == 0.8
    assert held.scheduler == "inline"
    assert held.environment == "process"
    assert held.storage_url == f"sqlite:///{held.home}/retune.sqlite3"


def test_environment_wins_over_the_file(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (clean / "settings.toml").write_text('target = 0.7\nmemory = "2GiB"\n')
    monkeypatch.setenv("RETUNE_TARGET", "0.9")
    held = settings.load()
    assert held.target == 0.9
    assert held.memory == 2 * 1024**3
    origins = {each.variable: each.origin for each in provenance(held)}
    assert origins["RETUNE_TARGET"] == "environment"
    assert origins["RETUNE_MEMORY"] == str(clean / "settings.toml")
    assert origins["RETUNE_TRIALS"] == "default"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETUNE_MAIL_TO", "a@example.com, b@example.com")
    assert settings.load().mail_to == ["a@example.com", "b@example.com"]


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETUNE_SMTP_PASSWORD", "hunter2")
    monkeypatch.setenv("RETUNE_STORAGE", "postgresql+psycopg://me:hunter2@db/retune")
    held = settings.load()
    lines = {each.variable: each.shown for each in provenance(held)}
    assert lines["RETUNE_SMTP_PASSWORD"] == lines["RETUNE_STORAGE"] == "********"
    assert "hunter2" not in repr(held) + str(list(provenance(held)))


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("RETUNE_TARGET", "80", r"RETUNE_TARGET is '80': .*less than or equal to 1"),
        ("RETUNE_SCHEDULER", "cron", r"RETUNE_SCHEDULER is 'cron': .*'inline' or 'jenkins'"),
        ("RETUNE_MAIL_TO", "a@b\nBcc: c@d", r"RETUNE_MAIL_TO .*is not a mail address"),
        ("RETUNE_SCHEDULER", "jenkins", r"needs RETUNE_JENKINS_URL and RETUNE_JENKINS_USER"),
        ("RETUNE_JENKINS_FOLDER", "a/../b c", r"RETUNE_JENKINS_FOLDER .*takes names"),
    ],
)
def test_bad_values_are_one_sentence(
    variable: str, value: str, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=sentence) as caught:
        settings.load()
    assert "\n" not in str(caught.value).replace("\\n", "")


def test_unknown_key_in_the_file_is_named(clean: Path) -> None:
    (clean / "settings.toml").write_text("targt = 0.7\n")
    with pytest.raises(SettingsError, match=r"settings\.toml sets targt, which is not a setting"):
        settings.load()


def test_broken_file_is_named(clean: Path) -> None:
    (clean / "settings.toml").write_text("target = \n")
    with pytest.raises(SettingsError, match=r"settings\.toml cannot be read"):
        settings.load()


def test_repository_settings(tmp_path: Path) -> None:
    (tmp_path / "retune.toml").write_text(
        'script = "model/cnn.py"\ntarget = 0.76\nhold = ["dense1.units"]\ntrials = 8\n'
    )
    wanted = read_repository_settings(tmp_path)
    assert (wanted.script, wanted.target, wanted.trials) == ("model/cnn.py", 0.76, 8)
    assert wanted.hold == ["dense1.units"]
    assert read_repository_settings(tmp_path / "nowhere") == RepositorySettings.model_validate({})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('image = "evil"', r"retune\.toml sets image, which it may not; it takes script, "),
        ('script = "../x.py"', r"retune\.toml: script is '\.\./x\.py': .*inside the repository"),
        ('script = "/etc/passwd"', "inside the repository"),
        ('dataset = "../secrets"', "takes the name of an offered data set"),
        ('dataset = "./../x"', "inside the repository"),
        ("target = 80", r"retune\.toml: target is 80: .*less than or equal to 1"),
        ("target = ", r"retune\.toml cannot be read"),
        ('recipients = ["x"]', "'x' is not a mail address"),
    ],
)
def test_what_a_pushed_file_may_not_say(content: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "retune.toml").write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        read_repository_settings(tmp_path)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("target = 0.5")
    (tmp_path / "retune.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="symbolic link"):
        read_repository_settings(tmp_path)


def test_the_readme_documents_every_setting() -> None:
    text = README.read_text(encoding="utf-8")
    missing = [
        f"RETUNE_{name.upper()}"
        for name in Settings.model_fields
        if not re.search(rf"`RETUNE_{name.upper()}`", text)
    ]
    missing += [name for name in RepositorySettings.model_fields if f"`{name}`" not in text]
    assert missing == []
