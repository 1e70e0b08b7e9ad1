"""What provision looks at before it changes anything: is this Jenkins fit to run the jobs?"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote

import requests

from jobs.scheduler.controller import Controller, ControllerError
from jobs.settings import Settings

OLDEST = (2, 387)

# What the Jenkinsfile and the jobs' configuration need, and the plugin that brings it.
PLUGINS: Mapping[str, str] = {
    "workflow-job": "workflow-aggregator",
    "workflow-cps": "workflow-aggregator",
    "workflow-basic-steps": "workflow-aggregator",
    "workflow-durable-task-step": "workflow-aggregator",
    "workflow-scm-step": "workflow-aggregator",
    "pipeline-build-step": "workflow-aggregator",
    "pipeline-model-definition": "workflow-aggregator",
    "cloudbees-folder": "workflow-aggregator",
    "git": "git",
    "junit": "junit",
    "timestamper": "timestamper",
    "credentials-binding": "credentials-binding",
}

# Run on an agent by its own Groovy; prints a line for each tool that is missing.
_TOOLS = """
def works = { List command ->
    try { def p = command.execute(); p.waitForOrKill(20000); p.exitValue() == 0 }
    catch (IOException absent) { false }
}
def pythons = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11']
def named = System.getenv('RETUNE_PYTHON')
if (named) { pythons = [named] }
def recent = 'import sys; sys.exit(sys.version_info < (3, 11))'
if (!works(['git', '--version'])) { println 'MISSING git' }
if (!pythons.any { works([it, '-c', recent]) }) { println 'MISSING Python 3.11 or newer' }
// By docker-py, as the jobs do, where the interpreter is a named one that has their requirements;
// else they are still to be installed, and the client is all there is.
def ping = 'import docker; docker.from_env().ping()'
def engine = named ? [named, '-c', ping] : ['docker', 'version']
if (%s && !works(engine)) { println 'MISSING access to a Docker Engine' }
println 'CHECKED'
"""


@dataclass(frozen=True)
class Check:
    """One answer. ``text`` says what was seen or, where it failed, what to do.

    ``unknown``: this user may not look; nothing speaks against going on.
    """

    state: Literal["good", "bad", "unknown"]
    text: str

    def __str__(self) -> str:
        return f"{ {'good': '✓', 'bad': '✗', 'unknown': '?'}[self.state] } {self.text}"


def checks(controller: Controller, settings: Settings) -> Iterator[Check]:
    """Look at one thing after the other; ends early where the rest cannot be asked.

    Nothing is changed. Raises nothing for what Jenkins refuses: that is an answer too.
    """
    try:
        yield _version(controller)
        yield _user(controller)
    except ControllerError as error:
        yield Check("bad", str(error))
        return
    yield from _plugins(controller)
    yield from _rights(controller)
    yield from _agents(controller, settings)


def _version(controller: Controller) -> Check:
    with controller.asking():
        response = requests.get(f"{controller.url}/login", timeout=controller.client.timeout)
        response.raise_for_status()
    version = response.headers.get("X-Jenkins", "")
    if not version:
        raise ControllerError(
            f"{controller.url} answers, but not as Jenkins does; see that RETUNE_JENKINS_URL is "
            "right, with its path where it has one."
        )
    numbers = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        needed = ".".join(map(str, OLDEST))
        return Check("bad", f"Jenkins {version} at {controller.url} is too old; use {needed} on.")
    return Check("good", f"Jenkins {version} at {controller.url}")


def _user(controller: Controller) -> Check:
    with controller.asking():
        found = controller.client.get_whoami()
    name = found.get("fullName") or controller.user
    return Check("good", f"The API token of {controller.user} ({name}) is valid")


def _plugins(controller: Controller) -> Iterator[Check]:
    try:
        found = controller.ask("pluginManager/", "plugins[shortName,active,enabled]")["plugins"]
    except ControllerError as error:
        yield Check("unknown", f"The plugins were not checked: {error}")
        return
    active = {each["shortName"]: bool(each["active"]) for each in found}
    missing = sorted({PLUGINS[name] for name in PLUGINS if name not in active})
    disabled = sorted(name for name in PLUGINS if active.get(name) is False)
    if missing:
        yield Check("bad", f"Plugins are missing; install {', '.join(missing)} in Manage Jenkins.")
    if disabled:
        yield Check("bad", f"Plugins are disabled; enable {', '.join(disabled)} and restart.")
    if not missing and not disabled:
        yield Check("good", f"The plugins are there: {', '.join(sorted(set(PLUGINS.values())))}")


def _rights(controller: Controller) -> Iterator[Check]:
    """By the pages on which a user with these rights would do the same by hand."""
    folder, created = controller.address(controller.folder), True
    try:
        controller.ask(folder.removeprefix(f"{controller.url}/"), "name")
    except ControllerError:
        folder, created = f"{controller.url}/", False
    pages = {"Job/Create": "newJob"}
    if created:
        pages |= {"Job/Configure": "configure", "View/Create": "newView"}
    lacking = []
    for right, page in pages.items():
        try:
            with controller.asking():
                request = requests.Request("GET", f"{folder}{page}")
                controller.client.jenkins_open(request, add_crumb=False)
        except ControllerError as error:
            if error.status in (403, 404):
                lacking.append(right)
    if lacking:
        where = controller.folder if created else "Jenkins"
        yield Check("bad", f"The user {controller.user} lacks {', '.join(lacking)} in {where}.")
    else:
        yield Check("good", f"The user {controller.user} may do it ({', '.join(pages)})")


def _agents(controller: Controller, settings: Settings) -> Iterator[Check]:
    """The agents of the label, and what is installed on them."""
    label = settings.jenkins_label
    path = f"label/{quote(label, safe='')}/" if label else ""
    tree = "nodes[nodeName]" if label else "computer[displayName,offline,numExecutors,_class]"
    try:
        if label:
            named = controller.ask(path, tree).get("nodes", [])
            wanted = {each["nodeName"] for each in named}
        found = controller.ask("computer/", "computer[displayName,offline,numExecutors,_class]")
    except ControllerError as error:
        yield Check("unknown", f"The agents were not checked: {error}")
        return
    computers = [each for each in found["computer"] if not label or _node(each) in wanted]
    ready = [each for each in computers if not each["offline"] and each["numExecutors"] > 0]
    described = f"with the label {label!r}" if label else "that builds may run on"
    if not ready:
        offline = ", ".join(each["displayName"] for each in computers if each["offline"])
        hint = f"{offline} is offline" if offline else "none exists"
        yield Check("bad", f"There is no agent {described} ({hint}); builds would wait for ever.")
        return
    for each in ready:
        yield _tools(controller, each, docker=settings.environment == "docker")


def _node(computer: Mapping[str, Any]) -> str:
    """The name of a computer's node: that of the controller's own is empty."""
    own = computer["_class"].endswith("MasterComputer")
    return "" if own else str(computer["displayName"])


def _tools(controller: Controller, computer: Mapping[str, Any], *, docker: bool) -> Check:
    name = computer["displayName"]
    script = _TOOLS % ("true" if docker else "false")
    try:
        with controller.asking():
            said = controller.client.run_script(script, node=_node(computer) or "(built-in)")
    except ControllerError as error:
        if error.status == 403:
            return Check(
                "unknown",
                f"Agent {name} is online; what is installed there only an administrator may ask.",
            )
        return Check("unknown", f"Agent {name} is online, but did not say what it has: {error}")
    missing = re.findall(r"^MISSING (.*)$", said, re.MULTILINE)
    if missing:
        return Check("bad", f"Agent {name} lacks {', '.join(missing)}; install that there.")
    tools = "git, Python and Docker" if docker else "git and Python"
    return Check("good", f"Agent {name} is online and has {tools}")
