"""Jobs, view, folder and settings as XML, against what a controller (2.541.2) made of them."""

import base64
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from jobs import settings as operator
from jobs.scheduler import config
from jobs.scheduler.base import JobName
from jobs.scheduler.config import Source
from jobs.scheduler.stored_settings import credential_xml, holds, settings_toml
from jobs.settings import Settings

STORED = Path(__file__).with_name("stored")
SOURCE = Source("https://git.example.com/retune.git", "main")
JOBS: tuple[JobName, ...] = ("pull", "launch", "train", "tune", "watch")


def wanted(job: JobName, label: str = "", parallel: bool = False) -> str:
    return config.job_xml(job, SOURCE, label=label, parallel=parallel)


def stored(name: str) -> str:
    return (STORED / f"{name}.xml").read_text(encoding="utf-8")


def signed(job: JobName) -> str:
    """What Jenkins has stored, as it looks at the end of provision."""
    text = stored(job)
    old = config.description_of(text)
    return text.replace(
        old.replace("'", "&apos;"),
        config.signed_description(wanted(job), text).replace("'", "&apos;"),
    )


@pytest.mark.parametrize("job", JOBS)
def test_jenkins_keeps_all_that_it_is_told(job: JobName) -> None:
    difference = config.difference(stored(job), wanted(job)).splitlines()
    assert [line for line in difference if line.startswith("+")] == []


def test_jenkins_keeps_the_view_as_it_is_told() -> None:
    assert config.difference(stored("view"), config.view_xml()) == ""


@pytest.mark.parametrize("job", JOBS)
def test_what_was_written_is_up_to_date(job: JobName) -> None:
    assert config.up_to_date(signed(job), wanted(job))
    assert not config.changed_by_hand(signed(job))


def test_an_update_of_plugins_and_jenkins_own_notes_are_no_change() -> None:
    later = signed("watch").replace('plugin="git@5.10.1"', 'plugin="git@6.0"')
    later = later.replace("<string>skipDefaultCheckout</string>", "")
    assert later != signed("watch")
    assert config.up_to_date(later, wanted("watch"))


def test_a_change_by_hand_is_seen_and_shown() -> None:
    edited = signed("train").replace("<numToKeep>200<", "<numToKeep>3<")
    assert not config.up_to_date(edited, wanted("train"))
    assert config.changed_by_hand(edited)
    assert "-        <numToKeep>3</numToKeep>" in config.difference(edited, wanted("train"))


def test_what_jenkins_has_dropped_is_written_anew_once_it_can_be_kept() -> None:
    root = ET.fromstring(config._parseable(stored("pull")))
    definition = root.find("definition")
    assert definition is not None
    scm = definition.find("scm")
    assert scm is not None
    definition.remove(scm)
    dropped = ET.tostring(root, encoding="unicode")
    description = root.find("description")
    assert description is not None
    description.text = config.signed_description(wanted("pull"), dropped)
    signed_so = ET.tostring(root, encoding="unicode")
    assert not config.changed_by_hand(signed_so)
    assert not config.up_to_date(signed_so, wanted("pull"))
    assert config.lost(signed_so, wanted("pull")).startswith("<scm class=")


def test_a_new_wish_is_no_change_by_hand() -> None:
    labelled = wanted("train", label="gpu")
    assert not config.up_to_date(signed("train"), labelled)
    assert not config.changed_by_hand(signed("train"))
    assert "<defaultValue>gpu</defaultValue>" in config.difference(signed("train"), labelled)
    assert "DisableConcurrentBuilds" in config.difference(
        signed("train"), wanted("train", parallel=True)
    )


def test_whose_job_it_is() -> None:
    assert config.made_by_retune(signed("train"))
    described_anew = stored("train").replace("Made by Retune.", "Ask Ada.")
    assert config.made_by_retune(described_anew, SOURCE)
    assert not config.made_by_retune(described_anew, Source("https://example.com/other", "main"))
    assert not config.made_by_retune("<project><description/></project>", SOURCE)


def test_the_very_first_build_knows_its_parameters_and_watch_its_time() -> None:
    for job, names in {
        "pull": ["STUDY", "TRIAL", "BRANCH", "COMMIT"],
        "train": ["STUDY", "TRIAL"],
        "watch": [],
    }.items():
        root = ET.fromstring(wanted(job).partition("\n")[2])  # type: ignore[arg-type]
        found = [each.findtext("name") for each in root.iterfind(".//parameterDefinitions/*")]
        assert found == names
        assert root.findtext(".//hudson.triggers.TimerTrigger/spec") == (
            "* * * * *" if job == "watch" else None
        )


def test_a_folder_keeps_what_is_not_retunes() -> None:
    edited = config.edited_folder(stored("folder"), description="New.", primary_view="All")
    assert config.description_of(edited) == "New."
    assert "<secretBytes>{c2VjcmV0}</secretBytes>" in edited
    assert "<primaryView>All</primaryView>" in edited
    again = config.edited_folder(edited, description="New.", primary_view="All")
    assert config.canonical(again) == config.canonical(edited)


def test_the_builds_read_the_settings_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Settings(
        home=tmp_path / "häuser",
        repository='https://user:pa"ss\\word@example.com/x.git',
        storage="postgresql://u:geheim@db/x",
        memory="2GiB",
        cpus=1.5,
        mail_to=["a@example.com", "b@example.com"],
        jenkins_parallel=True,
    )
    text = settings_toml(given)
    assert "target" not in tomllib.loads(text)
    file = tmp_path / "settings.toml"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("RETUNE_SETTINGS", str(file))
    assert operator.load() == given


def test_the_stored_settings_are_recognised_and_not_shown() -> None:
    text = 'smtp_password = "geheim"\n'
    root = ET.fromstring(credential_xml(text))
    assert base64.b64decode(root.findtext("secretBytes") or "").decode() == text
    description = root.findtext("description") or ""
    assert "geheim" not in description
    assert holds(description, text)
    assert not holds(description, text + "\n")
    assert not holds("somebody's own", text)
