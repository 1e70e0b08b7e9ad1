"""What provision says and does, against a local server that keeps configurations as Jenkins does.

The same on a live controller is in test_live.py.
"""

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from jobs import preflight
from jobs.errors import RetuneError
from jobs.preflight import PLUGINS
from jobs.provision import provision, scm_source
from jobs.scheduler.base import JOBS
from jobs.settings import Settings

from .conftest import java_home

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
CREDENTIAL = "/credentials/store/folder/domain/_/credential/retune-settings"


@dataclass
class Keeper:
    """Jobs, folders, views and credentials by their paths, and what else Jenkins would answer.

    ``agents``: those with the label gpu, and what the script that looks at them prints there.
    """

    url: str = ""
    public_url: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    version: str = "2.541.2"
    plugins: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PLUGINS, True))
    offline: bool = False
    missing_tools: str = ""
    agents: dict[str, str] = field(default_factory=dict)
    without_git: bool = False
    still_building: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)

    def get(self, path: str) -> tuple[int, str]:
        for beginning, status in self.refused.items():
            if path.startswith(beginning):
                return status, "hook is missing the Job/Create permission"
        known: dict[str, Any] = {
            "/login": "",
            "/me/api/json": {"fullName": "The Hook"},
            "/pluginManager/api/json": {
                "plugins": [
                    {"shortName": name, "active": active, "enabled": active}
                    for name, active in self.plugins.items()
                ]
            },
            "/computer/api/json": {
                "computer": [
                    {
                        "_class": "hudson.model.Hudson$MasterComputer",
                        "displayName": "Built-In Node",
                        "offline": self.offline,
                        "numExecutors": 2,
                    },
                    *(
                        {
                            "_class": "hudson.slaves.SlaveComputer",
                            "displayName": name,
                            "offline": False,
                            "numExecutors": 2,
                        }
                        for name in self.agents
                    ),
                ]
            },
            "/label/gpu/api/json": {"nodes": [{"nodeName": name} for name in self.agents]},
            "/newJob": "",
        }
        if path in known:
            answer = known[path]
            return 200, answer if isinstance(answer, str) else json.dumps(answer)
        item, _, page = path.rpartition("/")
        if path.endswith("/api/json"):
            item, page = path.removesuffix("/api/json"), "api"
        if item not in self.kept:
            return 404, ""
        if page == "config.xml":
            return 200, self.kept[item]
        inside = re.compile(rf"{re.escape(item)}/job/([^/]+)")
        found = {
            "_class": FOLDER if FOLDER in self.kept[item] else "Job",
            "url": f"{self.public_url or self.url}{item}/",
            "name": unquote(item.rpartition("/")[2]),
            "id": "retune-settings",
            "description": self._description(item),
            "jobs": [{"name": m.group(1)} for each in self.kept if (m := inside.fullmatch(each))],
        }
        return 200, json.dumps(found)

    def post(self, path: str, query: dict[str, list[str]], body: str) -> tuple[int, str]:
        if path.endswith("/scriptText"):
            said = self.agents.get(path.split("/")[2], self.missing_tools)
            return 200, f"{said}CHECKED\n)]}}."  # python-jenkins' own mark of an end
        if path == "/markupFormatter/previewDescription":
            return 200, escape(parse_qs(body)["text"][0])
        item, _, action = path.rpartition("/")
        self.changes.append(path)
        if action == "createItem":
            if self.without_git:
                body = re.sub(r"<scm .*</scm>", "", body)
            self.kept[f"{item}/job/{query['name'][0]}"] = body
        elif action == "createView":
            self.kept[f"{item}/view/{query['name'][0]}"] = body
        elif action == "createCredentials":
            folder = item.partition("/credentials/")[0]
            self.kept[f"{folder}{CREDENTIAL}"] = body
        elif action == "config.xml":
            self.kept[item] = body
        elif action == "submitDescription":
            self._describe(item, parse_qs(body)["description"][0])
        elif action == "doDelete" and self.still_building:
            self.still_building -= 1
            return 400, "Failed to interrupt and stop 1 build of teams » retune » watch"
        elif action == "doDelete":
            self.delete(item)
        else:
            return 404, ""
        return 200, ""

    def delete(self, item: str) -> None:
        for each in [each for each in self.kept if each == item or each.startswith(f"{item}/")]:
            del self.kept[each]

    def _describe(self, item: str, description: str) -> None:
        """As Jenkins does: the whole is written anew, in Jenkins' own words."""
        text = re.sub(
            r"<description>.*?</description>",
            lambda _: f"<description>{escape(description)}</description>",
            self.kept[item],
            count=1,
        )
        text = text.replace("<flow-definition>", '<flow-definition plugin="workflow-job@1">')
        if "removeLastBuild" not in text:
            text = text.replace(
                "</strategy>", "<removeLastBuild>false</removeLastBuild></strategy>"
            )
        self.kept[item] = text

    def _description(self, item: str) -> str:
        found = re.search(r"<description>(.*?)</description>", self.kept[item])
        return found.group(1) if found else ""


@pytest.fixture
def jenkins() -> Iterator[Keeper]:
    keeper = Keeper()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(*keeper.get(unquote(urlsplit(self.path).path)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            parts = urlsplit(self.path)
            self._answer(*keeper.post(unquote(parts.path), parse_qs(parts.query), body))

        def do_DELETE(self) -> None:
            keeper.delete(unquote(urlsplit(self.path).path).removesuffix("/config.xml"))
            self._answer(200, "")

        def _answer(self, status: int, body: str) -> None:
            self.send_response(status)
            self.send_header("X-Jenkins", keeper.version)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    keeper.url = f"http://127.0.0.1:{server.server_port}"
    yield keeper
    server.shutdown()
    server.server_close()


def settings(jenkins: Keeper, **more: Any) -> Settings:
    values: dict[str, Any] = {
        "jenkins_url": jenkins.url,
        "jenkins_user": "hook",
        "jenkins_token": "geheim",
        "jenkins_folder": "teams/retune",
        "jenkins_scm_url": "https://git.example.com/retune.git",
        "repository": "https://git.example.com/models.git",
    }
    return Settings(**{**values, **more})


def run(jenkins: Keeper, status: int = 0, dry_run: bool = False, **more: Any) -> list[str]:
    said: list[str] = []
    given = settings(jenkins, **more)
    assert provision(given, dry_run=dry_run, say=said.append) == status, said
    return said


def remove(jenkins: Keeper) -> list[str]:
    said: list[str] = []
    provision(settings(jenkins), remove=True, say=said.append)
    return said


CREATED = [
    "create folder teams",
    "create folder teams/retune",
    *(f"create job teams/retune/{job}" for job in JOBS),
    "create view teams/retune/Retune",
    "create credential teams/retune/retune-settings",
]


def changes(said: list[str]) -> list[str]:
    verbs = ("create ", "update ", "overwrite ", "remove ", "leave ")
    return [line for line in said if line.startswith(verbs)]


def test_everything_is_made_once(jenkins: Keeper) -> None:
    said = run(jenkins)
    assert changes(said) == CREATED
    assert said[-1] == f"The jobs are at {jenkins.url}/job/teams/job/retune/"
    assert "geheim" not in "\n".join(said)
    jenkins.changes.clear()
    assert run(jenkins)[-1] == "There is nothing to change."
    assert jenkins.changes == []


def test_links_have_the_address_that_jenkins_gives_itself(jenkins: Keeper) -> None:
    """Within a network of containers it is called http://jenkins:8080, which no browser finds."""
    jenkins.public_url = "https://ci.example.com/jenkins"
    folder = "https://ci.example.com/jenkins/job/teams/job/retune/"
    assert run(jenkins)[-1] == f"The jobs are at {folder}"
    description = jenkins.kept["/job/teams/job/retune"]
    assert f"{folder}job/tune/lastSuccessfulBuild/artifact/report.html" in description
    assert jenkins.url not in description
    assert run(jenkins)[-1] == "There is nothing to change."


def test_a_dry_run_says_the_same_and_changes_nothing(jenkins: Keeper) -> None:
    said = run(jenkins, dry_run=True)
    assert changes(said) == CREATED
    assert jenkins.changes == []


def test_new_settings_change_what_they_concern(jenkins: Keeper) -> None:
    run(jenkins)
    said = run(jenkins, jenkins_parallel=True)
    [train, stored] = changes(said)
    assert train.startswith("update job teams/retune/train\n")
    assert "DisableConcurrentBuildsJobProperty" in train
    assert stored == "update credential teams/retune/retune-settings"


def test_a_change_by_hand_is_shown_before_it_is_overwritten(jenkins: Keeper) -> None:
    run(jenkins)
    item = "/job/teams/job/retune/job/watch"
    jenkins.kept[item] = jenkins.kept[item].replace("* * * * *", "H H * * *")
    [said] = changes(run(jenkins, dry_run=True))
    assert said.startswith("overwrite job teams/retune/watch (changed by hand since)")
    assert "-          <spec>H H * * *</spec>" in said
    assert "H H * * *" in jenkins.kept[item]
    assert changes(run(jenkins)) == [said]
    assert "H H * * *" not in jenkins.kept[item]
    assert changes(run(jenkins)) == []


def test_a_job_of_somebody_elses_is_not_touched(jenkins: Keeper) -> None:
    theirs = "<project><description>mine</description></project>"
    jenkins.kept["/job/teams"] = f"<{FOLDER}/>"
    jenkins.kept["/job/teams/job/retune"] = f"<{FOLDER}/>"
    jenkins.kept["/job/teams/job/retune/job/train"] = theirs
    with pytest.raises(RetuneError, match=r"job teams/retune/train that is not Retune's"):
        provision(settings(jenkins), say=lambda _: None)
    assert jenkins.kept["/job/teams/job/retune/job/train"] == theirs


def test_remove_takes_away_what_was_made_and_nothing_else(jenkins: Keeper) -> None:
    run(jenkins)
    other = "/job/teams/job/retune/job/other"
    jenkins.kept[other] = "<project/>"
    said = remove(jenkins)
    assert "remove job teams/retune/train and its builds" in said
    assert "leave folder teams/retune, which holds other" in said
    assert set(jenkins.kept) == {"/job/teams", "/job/teams/job/retune", other}
    del jenkins.kept[other]
    assert remove(jenkins) == ["remove folder teams/retune"]
    assert set(jenkins.kept) == {"/job/teams"}
    assert remove(jenkins) == ["There is nothing to change."]


def test_a_job_whose_build_stops_slowly_is_removed_all_the_same(jenkins: Keeper) -> None:
    run(jenkins)
    jenkins.still_building = 2
    assert "remove folder teams/retune" in remove(jenkins)
    assert set(jenkins.kept) == {"/job/teams"}
    run(jenkins)
    jenkins.still_building = 3
    with pytest.raises(RetuneError, match="Failed to interrupt and stop 1 build"):
        remove(jenkins)


def test_settings_stay_out_of_jenkins_where_the_operator_says_so(jenkins: Keeper) -> None:
    said = run(jenkins, jenkins_settings=False)
    assert changes(said) == CREATED[:-1]


def test_without_the_right_the_settings_stay_on_the_agents(jenkins: Keeper) -> None:
    jenkins.refused = {f"/job/teams/job/retune{CREDENTIAL}": 403}
    assert "builds take their settings from the agents, since" in changes(run(jenkins))[-1]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"version": "2.100"}, "✗ Jenkins 2.100 at .* is too old; use 2.387 on"),
        ({"version": ""}, "✗ .* answers, but not as Jenkins does"),
        ({"refused": {"/login": 503}}, "✗ Jenkins at .* is not ready \\(503\\)"),
        ({"refused": {"/me/": 401}}, "✗ .* does not accept the API token of hook"),
        (
            {"plugins": {**dict.fromkeys(PLUGINS, True), "git": False}},
            "✗ Plugins are disabled; enable git and restart",
        ),
        (
            {"plugins": {name: True for name in PLUGINS if name not in ("junit", "workflow-cps")}},
            "✗ Plugins are missing; install junit, workflow-aggregator in Manage Jenkins",
        ),
        ({"refused": {"/newJob": 403}}, "✗ The user hook lacks Job/Create in Jenkins"),
        ({"offline": True}, "✗ There is no agent .* \\(Built-In Node is offline\\)"),
        ({"missing_tools": "MISSING git\n"}, "✗ Agent Built-In Node lacks git; install that there"),
    ],
)
def test_what_is_not_fit_is_named_with_its_remedy(
    jenkins: Keeper, wrong: dict[str, Any], sentence: str
) -> None:
    for name, value in wrong.items():
        setattr(jenkins, name, value)
    said = run(jenkins, status=1)
    assert any(re.match(sentence, line) for line in said), said
    assert said[-1].startswith("Nothing was changed")
    assert jenkins.changes == []


def test_an_agent_label_that_nobody_has_is_named(jenkins: Keeper) -> None:
    said = run(jenkins, status=1, jenkins_label="gpu")
    assert "✗ There is no agent with the label 'gpu' (none exists); builds would wait" in said[-2]


@pytest.mark.parametrize(
    ("second", "line"),
    [
        ("PLACE a\nHOME 7 /r\n", "✓ The agents one and two share one machine and one home folder"),
        ("PLACE b\nHOME 7 /r\n", "✗ The agents one and two do not share one machine, so that"),
        ("PLACE a\nHOME 8 /r\n", "✗ The agents one and two do not share one home folder (/r);"),
        ("PLACE a\nHOME 7 /s\n", "✗ The agents one and two do not share one home folder (/r, /s)"),
        ("PLACE a\nHOME absent /r\n", "✗ The agents one and two do not share one home folder (/r)"),
    ],
)
def test_agents_have_to_be_one_place(jenkins: Keeper, second: str, line: str) -> None:
    jenkins.agents = {"one": "PLACE a\nHOME 7 /r\n", "two": second}
    said = run(jenkins, status=int(line.startswith("✗")), jenkins_label="gpu")
    assert any(each.startswith(line) for each in said), said


@pytest.mark.parametrize("environment", ["process", "docker"])
def test_what_is_run_on_an_agent_is_groovy_that_says_where_it_is(
    tmp_path: Path, environment: str
) -> None:
    groovy = shutil.which("groovy")
    if groovy is None:
        pytest.skip("Groovy is not installed: apt-get install groovy default-jre-headless")
    home = tmp_path / "it's $home"
    home.mkdir()
    given = Settings(home=home, environment=environment)
    script = tmp_path / "look.groovy"
    script.write_text(preflight.look_script(given))
    plain = {name: text for name, text in os.environ.items() if not name.startswith("RETUNE_")}
    said = subprocess.run(
        [groovy, str(script)],
        env={**plain, "JAVA_HOME": java_home()},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if environment == "process":
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert said[0] == f"PLACE {boot}{os.readlink('/proc/self/ns/pid')}"
    assert said[-2:] == [f"HOME {home.stat().st_ino} {home}", "CHECKED"]


def test_a_repository_that_is_not_set_is_said_but_may_be_the_agents_to_know(
    jenkins: Keeper,
) -> None:
    assert any(line.startswith("? RETUNE_REPOSITORY") for line in run(jenkins, repository=None))
    assert not any(line.startswith("? RETUNE_REPOSITORY") for line in run(jenkins))


def test_what_jenkins_does_not_keep_is_said(jenkins: Keeper) -> None:
    """As without the git plugin, which only an administrator would have been told of."""
    jenkins.refused = {"/pluginManager": 403}
    jenkins.without_git = True
    with pytest.raises(
        RetuneError, match=r"not kept all of job teams/retune/pull \(<scm class="
    ) as e:
        provision(settings(jenkins), say=lambda _: None)
    assert "a plugin that this needs is missing" in str(e.value)


def test_what_this_user_may_not_see_is_no_hindrance(jenkins: Keeper) -> None:
    jenkins.refused = {"/pluginManager": 403}
    said = run(jenkins)
    [line] = [line for line in said if line.startswith("? ")]
    assert re.match(
        r"\? The plugins were not checked, which .* administrator .* needed are cred", line
    )


def test_retune_itself_comes_from_where_it_is_unless_set(tmp_path: Path) -> None:
    assert scm_source(Settings(jenkins_scm_url="/srv/git/retune.git")).url == (
        "file:///srv/git/retune.git"
    )
    assert "://" in scm_source(Settings()).url or "@" in scm_source(Settings()).url
