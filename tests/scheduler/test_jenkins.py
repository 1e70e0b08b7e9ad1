"""The Jenkins scheduler through python-jenkins, against a server that answers like Jenkins."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from jobs.errors import RetuneError
from jobs.scheduler.activity import builds, queue
from jobs.scheduler.base import Next, Push
from jobs.scheduler.controller import Controller, ControllerError
from jobs.scheduler.jenkins import JenkinsScheduler
from jobs.settings import Settings
from jobs.status import status

Answer = tuple[int, str]
FORBIDDEN = (
    "<html><head><title>Error</title></head><body><h1>Error 403</h1>"
    "<p>hook is missing the Job/Build permission</p></body></html>"
)


@dataclass
class FakeJenkins:
    """Answers by path; keeps what was posted as (path, parameters)."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    posted: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    delay: float = 0.0

    def answer(self, method: str, path: str) -> Answer:
        if path in self.answers:
            return self.answers[path]
        if method == "POST":
            return 201, ""
        return 404, ""


@pytest.fixture
def server() -> Iterator[FakeJenkins]:
    fake = FakeJenkins()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            fake.posted.append((parts.path, dict(parse_qsl(parts.query))))
            self._answer("POST")

        def _answer(self, method: str) -> None:
            time.sleep(fake.delay)
            status, body = fake.answer(method, urlsplit(self.path).path)
            self.send_response(status)
            if status == 201:
                self.send_header("Location", f"{fake.url}/queue/item/7/")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            with suppress(BrokenPipeError):  # the one who asked may have lost patience
                self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    served = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.daemon_threads = True
    threading.Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()
    fake.url = f"http://127.0.0.1:{served.server_port}"
    yield fake
    served.shutdown()
    served.server_close()


def settings(url: str, **more: Any) -> Settings:
    values = {"jenkins_user": "hook", "jenkins_token": "abc", "jenkins_folder": "teams/retune"}
    return Settings(jenkins_url=url, **{**values, **more})


@pytest.fixture
def scheduler(server: FakeJenkins) -> JenkinsScheduler:
    return JenkinsScheduler(settings(server.url))


def parameters(**values: str) -> list[dict[str, Any]]:
    listed = [{"name": name, "value": value} for name, value in values.items()]
    return [{}, {"_class": "hudson.model.ParametersAction", "parameters": listed}]


def build(number: int, *, building: bool, result: str | None, **values: str) -> dict[str, Any]:
    return {
        "number": number,
        "url": f"http://elsewhere/job/teams/job/retune/job/x/{number}/",
        "building": building,
        "displayName": f"#{number}",
        "description": None,
        "result": result,
        "timestamp": (1_700_000_000 + number) * 1000,
        "duration": 5000,
        "actions": parameters(**values),
    }


def folder(**jobs: list[dict[str, Any]]) -> Answer:
    return 200, json.dumps(
        {"jobs": [{"name": name, "builds": found} for name, found in jobs.items()]}
    )


def waiting(*items: tuple[int, str, dict[str, str]]) -> Answer:
    return 200, json.dumps(
        {
            "items": [
                {
                    "id": number,
                    "why": "Waiting for next available executor",
                    "inQueueSince": 1_700_000_000_000,
                    "task": {"url": url},
                    "actions": parameters(**values),
                }
                for number, url, values in items
            ]
        }
    )


FOLDER, QUEUE = "/job/teams/job/retune/api/json", "/queue/api/json"


def test_a_step_is_queued_at_once_with_its_parameters(
    server: FakeJenkins, scheduler: JenkinsScheduler
) -> None:
    scheduler.trigger(Next("train", "main-1234567", 3))
    scheduler.receive(Push("feat/ä b", "1234567"))
    assert server.posted == [
        (
            "/job/teams/job/retune/job/train/buildWithParameters",
            {"STUDY": "main-1234567", "TRIAL": "3", "delay": "0sec"},
        ),
        (
            "/job/teams/job/retune/job/pull/buildWithParameters",
            {"BRANCH": "feat/ä b", "COMMIT": "1234567", "delay": "0sec"},
        ),
    ]


def test_a_study_is_busy_with_a_queued_or_a_running_build(
    server: FakeJenkins, scheduler: JenkinsScheduler
) -> None:
    train = "http://elsewhere/job/teams/job/retune/job/train/"
    other = "http://elsewhere/job/train/"
    server.answers[QUEUE] = waiting((1, train, {"STUDY": "a-1"}), (2, other, {"STUDY": "d-4"}))
    server.answers[FOLDER] = folder(
        tune=[
            build(9, building=True, result=None, STUDY="b-2", TRIAL="0"),
            build(8, building=False, result="SUCCESS", STUDY="c-3", TRIAL="0"),
        ],
        pull=[build(3, building=False, result=None, BRANCH="main", COMMIT="e" * 40)],
        unrelated=[build(1, building=True, result=None, STUDY="f-5")],
    )
    names = ("a-1", "b-2", "c-3", "d-4", "f-5", "main-eeeeeee")
    assert [name for name in names if scheduler.busy(name)] == ["a-1", "b-2", "main-eeeeeee"]


def test_stopping_a_study_touches_its_builds_alone(
    server: FakeJenkins, scheduler: JenkinsScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB_BASE_NAME", "pull")
    monkeypatch.setenv("BUILD_NUMBER", "4")
    train = f"{server.url}/job/teams/job/retune/job/train/"
    server.answers[QUEUE] = waiting((1, train, {"STUDY": "a-1"}), (2, train, {"STUDY": "b-2"}))
    server.answers[FOLDER] = folder(
        train=[
            build(9, building=True, result=None, STUDY="a-1"),
            build(8, building=True, result=None, STUDY="b-2"),
            build(7, building=False, result="SUCCESS", STUDY="a-1"),
        ],
        pull=[build(4, building=True, result=None, STUDY="a-1")],
    )
    server.answers["/queue/cancelItem"] = (204, "")
    server.answers["/job/teams/job/retune/job/train/9/stop"] = (404, "")
    scheduler.stop("a-1")
    assert server.posted == [
        ("/queue/cancelItem", {"id": "1"}),
        ("/job/teams/job/retune/job/train/9/stop", {}),
    ]


def test_queue_and_builds_say_what_people_look_for(server: FakeJenkins) -> None:
    train = f"{server.url}/job/teams/job/retune/job/train/"
    server.answers[QUEUE] = waiting((1, train, {"STUDY": "a-1", "TRIAL": "2"}))
    server.answers[FOLDER] = folder(train=[build(9, building=False, result="ABORTED", STUDY="a-1")])
    controller = Controller(settings(server.url))
    [queued] = queue(controller)
    assert (queued.job, queued.subject.study, queued.subject.trial) == ("train", "a-1", "2")
    assert queued.why == "Waiting for next available executor"
    [built] = builds(controller)
    assert (built.job, built.number, built.result, built.seconds) == ("train", 9, "ABORTED", 5.0)


def test_a_build_that_waits_for_an_agent_says_so(
    server: FakeJenkins,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A Pipeline counts as running then; what waits is a part of it, named by the build."""
    monkeypatch.setenv("COLUMNS", "200")
    server.answers[QUEUE] = waiting((7, "job/teams/job/retune/job/tune/9/", {}))
    server.answers[FOLDER] = folder(
        tune=[
            build(9, building=True, result=None, STUDY="a-1", TRIAL="2"),
            build(8, building=True, result=None, STUDY="b-2", TRIAL="0"),
        ]
    )
    computers = [
        {"displayName": "one", "offline": True, "offlineCauseReason": "Disk.", "numExecutors": 2},
        {"displayName": "two", "offline": True, "offlineCauseReason": "", "numExecutors": 1},
        {"displayName": "own", "offline": True, "offlineCauseReason": "", "numExecutors": 0},
        {"displayName": "there", "offline": False, "offlineCauseReason": "", "numExecutors": 1},
    ]
    server.answers["/computer/api/json"] = 200, json.dumps({"computer": computers})
    given = settings(server.url, home=tmp_path, scheduler="jenkins")
    [queued] = queue(Controller(given))
    assert (queued.job, queued.build) == ("tune", 9)
    assert JenkinsScheduler(given).busy("a-1")
    status(given, as_json=True, watch=False)
    rows = json.loads(capsys.readouterr().out)["jenkins"]
    assert [(row["build"], row["state"], row["why"]) for row in rows] == [
        (9, "waiting", "Waiting for next available executor; offline: one (Disk.), two"),
        (8, "running", None),
    ]
    status(given, as_json=False, watch=False)
    said = capsys.readouterr().out
    assert "offline: one (Disk.), two" in " ".join(said.split())
    assert f"No study is recorded in {tmp_path}" in " ".join(said.split())


def test_whether_somebody_has_aborted_the_last_build(
    server: FakeJenkins, scheduler: JenkinsScheduler
) -> None:
    def interrupted(number: int, cause: str, study: str) -> dict[str, Any]:
        found = build(number, building=False, result="ABORTED", STUDY=study)
        causes = [{"_class": f"jenkins.model.CauseOfInterruption${cause}"}]
        return {**found, "actions": [*found["actions"], {"causes": causes}]}

    server.answers[FOLDER] = folder(
        train=[
            interrupted(9, "UserInterruption", "by-hand"),
            interrupted(8, "UserInterruption", "gone-on"),
            interrupted(7, "ExceededTimeout", "by-itself"),
        ],
        tune=[build(10, building=False, result="FAILURE", STUDY="gone-on")],
    )
    names = ("by-hand", "gone-on", "by-itself", "unknown")
    assert [name for name in names if scheduler.stopped_by_hand(name)] == ["by-hand"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((401, "Unauthorized"), r"does not accept the API token of hook; make a new one"),
        ((403, FORBIDDEN), r"the user hook lacks Job/Build; have it granted"),
        (
            # As Jenkins' page says it, which holds a crumb of its own.
            (403, f'<head data-crumb-header="Jenkins-Crumb"></head>{FORBIDDEN}'),
            r"the user hook lacks Job/Build; have it granted",
        ),
        (
            (403, "No valid crumb was included in the request"),
            r"set RETUNE_JENKINS_TOKEN to an API",
        ),
        (
            (404, ""),
            r"has no job teams/retune/train, or does not show it to hook; `python -m jobs pr",
        ),
        ((409, "disabled"), r"it is disabled; enable it"),
        (
            (400, "<h1>Nothing is submitted</h1>"),
            r"did not take the request \(Nothing is submitted\)",
        ),
        ((405, ""), r"sends requests on to another address"),
        ((500, "<p>A problem occurred</p>"), r"answered 500 \(A problem occurred\)"),
        ((503, "Please wait while Jenkins is getting ready"), r"is not ready \(503\)"),
        ((200, ""), r"answers, but not as Jenkins does"),
    ],
)
def test_each_refusal_is_one_sentence(
    server: FakeJenkins, scheduler: JenkinsScheduler, answer: Answer, sentence: str
) -> None:
    server.answers["/job/teams/job/retune/job/train/buildWithParameters"] = answer
    with pytest.raises(ControllerError, match=sentence) as raised:
        scheduler.trigger(Next("train", "main-1234567", 3))
    assert "abc" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_folder_says_what_makes_it(
    server: FakeJenkins, scheduler: JenkinsScheduler
) -> None:
    server.answers[QUEUE] = waiting()
    with pytest.raises(
        ControllerError, match=r"has no folder teams/retune, .* provision` makes it"
    ):
        scheduler.busy("main-1234567")


def test_something_else_than_jenkins_is_said(
    server: FakeJenkins, scheduler: JenkinsScheduler
) -> None:
    server.answers[QUEUE] = (200, "<html>It works!</html>")
    with pytest.raises(ControllerError, match=r"answers, but not as Jenkins does"):
        scheduler.busy("main-1234567")


def test_nobody_there_a_slow_one_and_a_dead_proxy(
    server: FakeJenkins, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Next("train", "main-1234567", 3)
    with pytest.raises(ControllerError, match=r"cannot be reached \(Connection refused\)"):
        JenkinsScheduler(settings("http://127.0.0.1:9")).trigger(step)
    with pytest.raises(
        ControllerError, match=r"cannot be reached \(.*(resol|Name or service|known)"
    ):
        JenkinsScheduler(settings("http://no.such.host.invalid")).trigger(step)
    server.delay = 3
    with pytest.raises(ControllerError, match=r"did not answer in time"):
        Controller(settings(server.url), timeout=0.3).start("train", {})
    server.delay = 0
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ControllerError, match=r"The proxy for .* does not answer"):
        JenkinsScheduler(settings(server.url)).trigger(step)


def test_what_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JENKINS_URL", raising=False)
    with pytest.raises(RetuneError, match=r"give its address in RETUNE_JENKINS_URL"):
        Controller(Settings(jenkins_url=None))
    with pytest.raises(RetuneError, match=r"RETUNE_JENKINS_USER and RETUNE_JENKINS_TOKEN"):
        Controller(Settings(jenkins_url="http://jenkins"))
