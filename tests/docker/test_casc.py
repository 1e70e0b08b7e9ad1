"""casc.yaml without a controller: its structure, its secrets, and that provision can work with it.

The schema itself only a running controller with the plugin gives (/configuration-as-code/schema).
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from jobs.scheduler.base import JOBS

JENKINS = Path(__file__).resolve().parents[2] / "docker" / "jenkins"
TEXT = (JENKINS / "casc.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((JENKINS.parent / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def casc() -> dict[str, Any]:
    found = yaml.safe_load(TEXT)
    assert isinstance(found, dict)
    return found


def leaves(node: object, path: str = "") -> list[tuple[str, object]]:
    if isinstance(node, dict):
        return [leaf for key, value in node.items() for leaf in leaves(value, f"{path}/{key}")]
    if isinstance(node, list):
        return [leaf for value in node for leaf in leaves(value, path)]
    return [(path, node)]


def test_its_parts_are_roots_that_the_plugin_knows(casc: dict[str, Any]) -> None:
    assert set(casc) == {"jenkins", "security", "unclassified"}
    # Of hudson.model.Jenkins and the classes below it.
    assert set(casc["jenkins"]) <= {
        *("systemMessage", "numExecutors", "mode", "quietPeriod", "securityRealm"),
        *("authorizationStrategy", "crumbIssuer", "nodes"),
    }


def test_each_password_is_a_secret(casc: dict[str, Any]) -> None:
    secret = re.compile(r"password|token|secret|key", re.IGNORECASE)
    found = [
        (path, value)
        for path, value in leaves(casc)
        if secret.search(path.rpartition("/")[2]) and not isinstance(value, bool)
    ]
    assert len(found) == 2
    for path, value in found:
        assert re.fullmatch(r"\$\{[a-z_]+\}", str(value)), path


def test_each_variable_comes_from_compose() -> None:
    service = COMPOSE["services"]["jenkins"]
    code = "\n".join(line for line in TEXT.splitlines() if not line.lstrip().startswith("#"))
    for name, default in re.findall(r"\$\{(\w+)(:-[^}]*)?\}", code):
        if default:
            assert name in service["environment"] or name == "JENKINS_ADMIN_ADDRESS", name
        else:
            assert name in service["secrets"], name


def test_nothing_is_built_on_the_controller(casc: dict[str, Any]) -> None:
    assert casc["jenkins"]["numExecutors"] == 0
    assert casc["jenkins"]["mode"] == "EXCLUSIVE"


def test_nobody_but_users_with_rights_gets_in(casc: dict[str, Any]) -> None:
    realm = casc["jenkins"]["securityRealm"]["local"]
    assert realm["allowsSignup"] is False
    entries = casc["jenkins"]["authorizationStrategy"]["globalMatrix"]["entries"]
    rights = {
        next(iter(each.values()))["name"]: set(next(iter(each.values()))["permissions"])
        for each in entries
    }
    assert set(rights) == {"admin", "retune", "authenticated"}
    assert rights["admin"] == {"Overall/Administer"}
    assert "Overall/Administer" not in rights["retune"] | rights["authenticated"]
    assert {user["id"] for user in realm["users"]} == {"admin", "retune"}
    # What provision asks for, what the credentials' store takes, what the agent connects by.
    assert {
        *("Overall/Read", "Agent/Connect", "View/Create", "View/Configure", "View/Delete"),
        *("Job/Create", "Job/Configure", "Job/Delete", "Job/Read", "Job/Build", "Job/Cancel"),
        *("Credentials/Create", "Credentials/Update", "Credentials/Delete", "Credentials/View"),
    } <= rights["retune"]


def test_the_agent_is_the_one_that_connects(casc: dict[str, Any]) -> None:
    [node] = casc["jenkins"]["nodes"]
    agent = node["permanent"]
    script = (JENKINS.parent / "agent" / "retune-agent").read_text(encoding="utf-8")
    assert f"name=${{AGENT_NAME:-{agent['name']}}}" in script
    assert agent["remoteFS"] == "/home/jenkins/agent"
    assert agent["launcher"] == {"inbound": {"webSocket": True}}
    # watch has to find an executor while a training holds one.
    assert agent["numExecutors"] > 1


def test_the_jobs_are_described_elsewhere_once(casc: dict[str, Any]) -> None:
    assert "jobs" not in casc
    assert COMPOSE["services"]["provision"]["command"] == ["retune-agent", "provision"]
    assert not [job for job in JOBS if f"retune/{job}" in TEXT]


def test_the_token_is_given_to_the_user_that_the_settings_name() -> None:
    script = (JENKINS / "api-token.groovy").read_text(encoding="utf-8")
    settings = COMPOSE["services"]["provision"]["environment"]
    assert f"User.getById('{settings['RETUNE_JENKINS_USER']}', true)" in script
    assert "/run/secrets/retune_token" in script
    assert "retune_token" in COMPOSE["services"]["jenkins"]["secrets"]
