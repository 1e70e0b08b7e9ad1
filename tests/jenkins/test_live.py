"""The whole story on a live controller, in the order in which it happens.

It needs JENKINS_URL, JENKINS_USER and JENKINS_TOKEN of an administrator, and a controller on this
machine that may check out ``file://`` (hudson.plugins.git.GitSCM.ALLOW_LOCAL_CHECKOUT) and that
nobody else uses: it is quieted down, its agents are taken offline, its executors are filled. The
restart is tried where JENKINS_RESTART is a command that restarts the controller and returns when it
is up.
"""

import email
import email.policy
import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import jenkins
import pytest
import requests
from pydantic import SecretStr

from jobs import pause, watch
from jobs.ending import end_study
from jobs.errors import RetuneError
from jobs.preflight import checks
from jobs.provision import provision
from jobs.scheduler.activity import Build, Queued, builds, queue
from jobs.scheduler.base import JOBS, Next
from jobs.scheduler.controller import Controller
from jobs.scheduler.jenkins import JenkinsScheduler
from jobs.status import status
from jobs.webhook import make_receiver, make_webhook_server

from .conftest import ROOT, SCRIPT, Story, wait_for

pytestmark = [pytest.mark.jenkins, pytest.mark.smtp, pytest.mark.tensorflow, pytest.mark.slow]
pytestmark.append(pytest.mark.timeout(3600))

# It learns next to nothing, or it would stop at the target.
SLOW = (
    SCRIPT.replace(
        "model.fit(",
        "import time\n\n"
        "slow = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: time.sleep(1))\n"
        "model.fit(",
    )
    .replace("epochs=8)", "epochs=40, callbacks=[slow])")
    .replace("Adam(0.01)", "Adam(1e-7)")
)
SHORT = SLOW.replace("epochs=40", "epochs=5")
DENSE = """\
from tensorflow import keras

model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
model.compile(optimizer="adam", loss="mse")
model.fit([[1.0]], [[1.0]], epochs=1)
"""


def test_the_jenkinsfile_is_valid_for_jenkins_itself(story: Story) -> None:
    text = (ROOT / "Jenkinsfile").read_text(encoding="utf-8")
    with story.controller.asking():
        assert story.controller.client.check_jenkinsfile_syntax(text) == []


def test_a_dry_run_changes_nothing(story: Story) -> None:
    said = story.provision(dry_run=True)
    assert said[-1] == "This was a dry run: nothing was changed."
    assert f"create job {story.controller.folder}/pull" in said
    assert not story.controller.client.job_exists(story.controller.folder)


def test_provision_makes_folder_jobs_view_and_settings_once(story: Story) -> None:
    name = story.controller.folder
    said = story.provision()
    created = [line for line in said if line.startswith("create ")]
    assert created == [
        f"create folder {name}",
        *(f"create job {name}/{job}" for job in JOBS),
        f"create view {name}/Retune",
        f"create credential {name}/retune-settings",
    ]
    assert story.provision()[-1] == "There is nothing to change."


def test_a_job_changed_by_hand_is_shown_and_put_right(story: Story) -> None:
    client, name = story.controller.client, story.controller.name("train")
    changed = client.get_job_config(name).replace(
        "<numToKeep>200</numToKeep>", "<numToKeep>3</numToKeep>"
    )
    client.reconfig_job(name, changed)
    said = "\n".join(story.provision())
    assert f"overwrite job {name} (changed by hand since)" in said
    assert "-        <numToKeep>3</numToKeep>" in said
    assert "+        <numToKeep>200</numToKeep>" in said
    assert story.provision()[-1] == "There is nothing to change."


def test_a_job_that_is_somebody_elses_is_left_alone(story: Story) -> None:
    client, name = story.controller.client, story.controller.name("tune")
    client.delete_job(name)
    client.create_job(name, jenkins.EMPTY_CONFIG_XML)
    try:
        with pytest.raises(RetuneError, match=r"tune that is not Retune's; rename it"):
            story.provision()
        assert "<project>" in client.get_job_config(name)
    finally:
        client.delete_job(name)
    assert f"create job {name}" in story.provision()


def test_a_token_that_has_expired_is_the_first_answer(story: Story) -> None:
    wrong = story.settings.model_copy(update={"jenkins_user": "nobody-of-that-name"})
    *_, last = checks(Controller(wrong), wrong)
    assert "does not accept the API token of nobody-of-that-name" in str(last)


def test_a_push_goes_through_the_chain_to_the_target(story: Story, mails: Any) -> None:
    name = story.push()
    study = story.closed(name)
    view = study.view()
    assert view.outcome == "reached", view.reason
    assert len(view.trials) >= 2
    assert story.git("ls-remote", "origin", f"refs/heads/retune/{name}/best")

    # The study is closed a moment before the build that closed it has archived its page.
    wait_for(lambda: not JenkinsScheduler(story.settings).busy(name), "the end of its jobs")
    short = f"main@{name[-7:]}"
    for job in ("pull", "launch", "train", "tune"):
        found = story.builds(job, name)
        assert [each.result for each in found] == ["SUCCESS"] * len(view.trials)
        names = [" · ".join(each.name.split(" · ")[:2]) for each in reversed(found)]
        assert names == [f"{short} · trial {number}" for number in range(len(view.trials))]
    last = story.builds("tune", name)[0]
    assert view.reason in last.description
    assert view.winner is not None
    assert f"{view.trials[-1].objective:.3f}" in last.name

    artefacts = ["report.html", "report.css", "accuracy.png", "model.keras", "cnn.py"]
    if view.winner.commit != view.commit:
        artefacts.append("winner.patch")
    for artefact in artefacts:
        assert story.get(f"{last.url}artifact/{artefact}").status_code == 200, artefact
    # The trend grows with the study: a test case a trial.
    tunes = reversed(story.builds("tune", name))
    reports = [story.get(f"{each.url}testReport/api/json").json() for each in tunes]
    assert [each["passCount"] for each in reports] == list(range(1, len(view.trials) + 1))
    trained = story.builds("train", name)[-1]
    assert "epoch" in story.get(f"{trained.url}artifact/console-0.log").text.lower()
    assert story.get(f"{trained.url}artifact/environment.log").status_code == 200
    log = story.console(trained)
    assert "█" in log
    assert "tensorflow" not in log.lower()

    [message] = [
        email.message_from_bytes(each, policy=email.policy.default) for each in mails.messages
    ]
    assert name in str(message["Subject"]) + message.get_body(("plain",)).get_content()


def test_no_log_and_no_description_holds_a_secret(story: Story) -> None:
    token = os.environ["JENKINS_TOKEN"]
    for job in JOBS:
        found = story.get(f"job/{story.controller.folder}/job/{job}/api/json?depth=1").text
        assert token not in found
        assert (
            token
            not in story.get(f"job/{story.controller.folder}/job/{job}/lastBuild/consoleText").text
        )


def test_what_is_no_cnn_is_not_built(story: Story) -> None:
    name = story.push(DENSE, branch="dense")
    assert story.closed(name).get("outcome") == "not-a-cnn"
    [launch] = wait_for(
        lambda: [each for each in story.builds("launch", name) if not each.running],
        "the end of launch",
    )
    assert launch.result == "NOT_BUILT"
    assert "convolution" in launch.description
    assert story.builds("train", name) == []


def test_a_push_to_two_branches_at_once_starts_two_studies(story: Story) -> None:
    head = story.git("rev-parse", "--short=7", "HEAD")
    said = story.git("push", "origin", "HEAD:refs/heads/one", "HEAD:refs/heads/two")
    assert f"study starts for one@{head}" in said
    assert f"study starts for two@{head}" in said
    for branch in ("one", "two"):
        assert story.closed(f"{branch}-{head}").get("outcome") == "not-a-cnn"


def test_a_webhook_starts_job_1_and_a_push_that_is_known_starts_nothing_twice(story: Story) -> None:
    commit = story.git("rev-parse", "HEAD")
    before, studies = len(_pulls(story, commit)), len(story.context.record.names())
    settings = story.settings.model_copy(update={"webhook_secret": SecretStr("geheim")})
    with make_webhook_server(make_receiver(settings), "127.0.0.1", 0) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        answer = requests.post(
            f"http://127.0.0.1:{server.server_port}/",
            json={"ref": "refs/heads/one", "after": commit},
            headers={"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": "geheim"},
            timeout=60,
        )
    assert (answer.status_code, answer.text) == (202, f"A study starts for one@{commit[:7]}.\n")
    pulls = wait_for(
        lambda: [each for each in _pulls(story, commit) if not each.running][before:],
        "the build that the webhook asked for",
    )
    assert pulls[0].result in ("SUCCESS", "NOT_BUILT")
    assert len(story.context.record.names()) == studies


def _pulls(story: Story, commit: str) -> list[Build]:
    """The oldest first."""
    found = [each for each in builds(story.controller) if each.job == "pull"]
    return [each for each in reversed(found) if each.subject.commit == commit]


def test_a_push_while_jenkins_prepares_for_shutdown_waits(story: Story) -> None:
    client = story.controller.client
    client.quiet_down()
    try:
        name = story.push(DENSE, branch="quiet")
        waiting = wait_for(
            lambda: [each for each in queue(story.controller) if each.subject.branch == "quiet"],
            "the push in the queue",
            seconds=60,
        )
        assert waiting[0].why
        assert story.study(name) is None
    finally:
        request = requests.Request("POST", f"{story.controller.url}/cancelQuietDown")
        client.jenkins_open(request)
    assert story.closed(name).get("outcome") == "not-a-cnn"


def in_training(story: Story, name: str) -> bool:
    """Whether an epoch of the study's first trial is recorded."""
    study = story.study(name)
    return study is not None and any(each.intermediate_values for each in study.frozen())


def test_an_aborted_build_pauses_the_study_and_resume_goes_on(story: Story) -> None:
    name = story.push(SLOW, branch="slow")
    wait_for(lambda: in_training(story, name), "the first epoch")
    [train] = story.builds("train", name)
    story.controller.client.stop_build(story.controller.name("train"), train.number)
    start = time.monotonic()

    def state() -> Any:
        study = story.study(name)
        return study.get("state") if study is not None else None

    wait_for(lambda: state() == "paused", "the pause", seconds=30)
    wait_for(lambda: not story.builds("train", name)[0].running, "the end of train", seconds=60)
    assert time.monotonic() - start < 60
    aborted = story.builds("train", name)[0]
    assert aborted.result == "ABORTED"
    assert f"python -m jobs resume {name}" in aborted.description
    assert not JenkinsScheduler(story.settings).busy(name)

    context = story.context
    epochs = len(list(context.spool(name, 0).epochs()))
    pause.resume(context, name)
    wait_for(lambda: len(list(context.spool(name, 0).epochs())) > epochs, "a further epoch")
    numbers = [each.epoch for each in context.spool(name, 0).epochs()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_newer_push_takes_the_place_of_the_study_that_runs(story: Story) -> None:
    old = story.git("rev-parse", "--short=7", "HEAD")
    new = story.push(SLOW + "# once more\n", branch="slow")
    study = story.closed(f"slow-{old}")
    assert study.get("outcome") == "stopped"
    wait_for(
        lambda: not JenkinsScheduler(story.settings).busy(f"slow-{old}"), "the end of its jobs"
    )
    wait_for(lambda: in_training(story, new), "the first epoch")


def test_a_training_survives_a_restart_of_the_controller(story: Story) -> None:
    command = os.environ.get("JENKINS_RESTART")
    if not command:
        pytest.skip("JENKINS_RESTART is not set to a command that restarts the controller")
    name = f"slow-{story.git('rev-parse', '--short=7', 'HEAD')}"
    wait_for(lambda: in_training(story, name), "the first epoch")
    before = len(list(story.context.spool(name, 0).epochs()))
    # A controller that inherited this story's settings would prefer them for ever after.
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RETUNE_")}
    subprocess.run(
        command, shell=True, check=True, timeout=600, stdout=subprocess.DEVNULL, env=plain
    )
    spool = story.context.spool(name, 0)
    wait_for(lambda: spool.result() is not None, "the end of the training")
    study = story.study(name)
    assert study is not None
    wait_for(lambda: study.trial(0).finished, "the record of the training")
    numbers = [each["epoch"] for each in study.trial(0).get("curves")]
    assert numbers == list(range(1, 41))
    assert before < 40
    assert [each.result for each in story.builds("train", name) if each.subject.trial == "0"][
        -1:
    ] != ["FAILURE"]


def test_a_study_ends_by_hand_in_the_end(story: Story) -> None:
    end_by_hand(story, f"slow-{story.git('rev-parse', '--short=7', 'HEAD')}")


def end_by_hand(story: Story, name: str) -> None:
    context = story.context
    end_study(context, context.record.open(name), "stopped", "Enough.")
    context.scheduler.stop(name)
    wait_for(lambda: not context.scheduler.busy(name), "the end of its jobs", seconds=120)


@contextmanager
def away(story: Story) -> Iterator[None]:
    """Every agent marked as offline: what runs there goes on, what begins has to wait."""
    found = story.controller.ask("computer/", "computer[_class,displayName,offline,numExecutors]")
    names = [
        "(built-in)" if each["_class"].endswith("MasterComputer") else each["displayName"]
        for each in found["computer"]
        if not each["offline"] and each["numExecutors"]
    ]

    def toggle() -> None:
        for name in names:
            address = f"{story.controller.url}/computer/{quote(name)}/toggleOffline"
            story.controller.client.jenkins_open(
                requests.Request("POST", address, data={"offlineMessage": "Being cleaned."})
            )

    toggle()
    try:
        yield
    finally:
        toggle()


@contextmanager
def full(story: Story) -> Iterator[None]:
    """Every executor busy with a job of somebody else's."""
    client, name = story.controller.client, f"{story.controller.folder}/blocker"
    over = story.folder / "over"
    found = story.controller.ask("computer/", "computer[offline,numExecutors]")["computer"]
    executors = sum(each["numExecutors"] for each in found if not each["offline"])
    blocker = jenkins.EMPTY_CONFIG_XML.replace(
        "<builders/>",
        "<builders><hudson.tasks.Shell><command>"
        f"until [ -e {over} ]; do sleep 0.2; done"
        "</command></hudson.tasks.Shell></builders>",
    )
    names = [f"{name}-{number}" for number in range(executors)]

    def idle() -> bool:
        seen = story.controller.ask("computer/", "busyExecutors,totalExecutors")
        return bool(seen["busyExecutors"] < seen["totalExecutors"])

    def running(job: str) -> bool:
        return str(client.get_job_info(job)["color"]).endswith("_anime")

    try:
        for each in names:
            client.create_job(each, blocker)
            client.build_job(each)
        wait_for(lambda: any(map(running, names)) and not idle(), "all executors busy")
        yield
    finally:
        over.touch()
        wait_for(lambda: not any(map(running, names)), "the end of the blockers", seconds=60)
        for each in names:
            client.delete_job(each)


def waiting(story: Story, job: str) -> Queued:
    """The build of a job that waits, once it is settled for what."""
    found = wait_for(
        lambda: [each for each in queue(story.controller) if each.job == job and each.why],
        f"a build of {job} that waits",
    )
    assert isinstance(found[0], Queued)
    return found[0]


def shown(story: Story, job: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What `status` says of the build of a job that waits."""
    capsys.readouterr()
    status(story.settings, as_json=True, watch=False)
    rows = json.loads(capsys.readouterr().out)["jenkins"]
    [row] = [each for each in rows if each["why"] and each["job"] == job]
    assert isinstance(row, dict)
    return row


def left_alone(story: Story, name: str, job: str) -> bool:
    """Whether watch, which this runs twice, triggers nothing: the one build waits already."""
    watch.run(story.context)
    watch.run(story.context)
    queued = [each for each in queue(story.controller) if each.job == job and not each.build]
    return (
        len(queued) + len(story.builds(job, name)) == 1
        and story.context.record.open(name).get("restarts") is None
    )


def test_a_chain_without_an_agent_waits_says_so_and_is_left_alone(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    name = story.push(SHORT, branch="away")
    wait_for(lambda: in_training(story, name), "the first epoch")
    with away(story):
        assert waiting(story, "tune").why
        assert "offline" in shown(story, "tune", capsys)["why"]
        assert left_alone(story, name, "tune")
    wait_for(lambda: done(story, "tune", name), "the tune build")
    end_by_hand(story, name)


def test_a_chain_without_an_executor_waits_says_so_and_can_be_aborted(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    name = story.push(SHORT, branch="full")
    wait_for(lambda: in_training(story, name), "the first epoch")
    with full(story):
        wait_for(lambda: "available executor" in waiting(story, "tune").why, "the reason")
        row = shown(story, "tune", capsys)
        assert row["state"] == "waiting"
        assert "available executor" in row["why"]
        assert left_alone(story, name, "tune")

        # Whoever aborts it means the study, whose job has not begun and cannot know.
        [tune] = story.builds("tune", name)
        story.controller.client.stop_build(story.controller.name("tune"), tune.number)
        wait_for(lambda: not story.builds("tune", name)[0].running, "the end of tune", seconds=60)
        aborted = story.builds("tune", name)[0]
        assert (aborted.result, aborted.by_hand) == ("ABORTED", True)
        assert f"python -m jobs resume {name}" in aborted.description
        assert "node context" not in story.console(aborted)
        watch.run(story.context)
        assert story.context.record.open(name).get("state") == "paused"
        assert len(story.builds("tune", name)) == 1
    pause.resume(story.context, name)
    wait_for(lambda: done(story, "tune", name), "the tune build after that")
    end_by_hand(story, name)


def done(story: Story, job: str, name: str) -> bool:
    return any(each.result == "SUCCESS" for each in story.builds(job, name))


def test_a_push_can_wait_for_the_study_before_it(story: Story) -> None:
    settings = story.settings
    story.settings = settings.model_copy(update={"on_push": "queue"})
    try:
        credential = f"update credential {story.controller.folder}/retune-settings"
        assert credential in story.provision()
        first = story.push(SLOW, branch="queued")
        wait_for(lambda: in_training(story, first), "the first epoch")
        second = story.push(DENSE, branch="queued")

        def state() -> Any:
            study = story.study(second)
            return study.get("state") if study is not None else None

        wait_for(lambda: state() == "waiting", "the study that waits")
        wait_for(lambda: not JenkinsScheduler(settings).busy(second), "the end of its pull")
        assert story.context.record.open(first).running
        end_by_hand(story, first)
        assert story.closed(second).get("outcome") == "not-a-cnn"
    finally:
        story.settings = settings
        assert credential in story.provision()


def test_a_token_that_was_revoked_is_one_sentence_everywhere(story: Story) -> None:
    user = f"{story.controller.url}/user/{quote(story.controller.user)}"
    tokens = f"{user}/descriptorByName/jenkins.security.ApiTokenProperty"

    def ask(action: str, **data: str) -> str:
        request = requests.Request("POST", f"{tokens}/{action}", data=data)
        return str(story.controller.client.jenkins_open(request))

    made = json.loads(ask("generateNewToken", newTokenName="soon revoked"))["data"]
    settings = story.settings.model_copy(update={"jenkins_token": SecretStr(made["tokenValue"])})
    scheduler = JenkinsScheduler(settings)
    assert not scheduler.busy("main-1234567")
    ask("revoke", tokenUuid=made["tokenUuid"])

    sentence = f"does not accept the API token of {story.controller.user}; make a new one"
    with pytest.raises(RetuneError, match=sentence):
        scheduler.trigger(Next("launch", "main-1234567", 0))
    said: list[str] = []
    assert provision(settings, say=said.append) == 1
    assert sentence in said[-2]
    remote = story.folder / "remote.git"
    good = story.git("config", "retune.jenkins-token", where=remote)
    story.git("config", "retune.jenkins-token", made["tokenValue"], where=remote)
    try:
        told = story.git("push", "--force", "origin", "HEAD:refs/heads/revoked")
    finally:
        story.git("config", "retune.jenkins-token", good, where=remote)
    assert "no study starts for revoked@" in told
    assert sentence in told
    assert made["tokenValue"] not in told + "\n".join(said)


def test_a_deleted_job_is_one_sentence_and_provision_makes_it_anew(story: Story) -> None:
    name = story.controller.name("launch")
    story.controller.client.delete_job(name)
    with pytest.raises(RetuneError, match=r"has no job .*/launch, .*provision` makes it"):
        JenkinsScheduler(story.settings).trigger(Next("launch", "main-1234567", 0))
    assert f"create job {name}" in story.provision()


def test_after_all_these_builds_there_is_still_nothing_to_change(story: Story) -> None:
    assert story.provision()[-1] == "There is nothing to change."


def test_remove_takes_away_what_it_made_and_leaves_the_rest(story: Story) -> None:
    name = story.controller.folder
    story.controller.client.create_job(f"{name}/somebody-elses", jenkins.EMPTY_CONFIG_XML)
    said = story.provision(remove=True)
    assert f"leave folder {name}, which holds somebody-elses" in said
    assert story.controller.client.job_exists(f"{name}/somebody-elses")
    for job in JOBS:
        assert f"remove job {name}/{job} and its builds" in said
        assert not story.controller.client.job_exists(f"{name}/{job}")
    story.controller.client.delete_job(f"{name}/somebody-elses")
    assert story.provision(remove=True) == [f"remove folder {name}"]
    assert not story.controller.client.job_exists(name)
