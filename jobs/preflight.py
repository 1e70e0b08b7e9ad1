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

# Run on an agent by its own Groovy; prints a line for each tool that is missing, and what it takes
# for two agents to be one place to the jobs.
_LOOK = """
def run = { List command ->
    try {
        def p = command.execute(), said = new StringBuilder()
        def reader = p.consumeProcessOutputStream(said)
        p.consumeProcessErrorStream(new StringBuilder())
        p.waitForOrKill(20000)
        reader.join()
        p.exitValue() == 0 ? said.toString().trim() : null
    } catch (IOException absent) { null }
}
def pythons = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11']
def named = System.getenv('RETUNE_PYTHON')
if (named) { pythons = [named] }
def recent = 'import sys; sys.exit(sys.version_info < (3, 11))'
if (run(['git', '--version']) == null) { println 'MISSING git' }
if (!pythons.any { run([it, '-c', recent]) != null }) { println 'MISSING Python 3.11 or newer' }
def place = run(['cat', '/proc/sys/kernel/random/boot_id']) + run(['readlink', '/proc/self/ns/pid'])
if (@DOCKER@) {
    // By docker-py, as the jobs do, where the interpreter is a named one that has their
    // requirements; else they are still to be installed, and the client is all there is.
    def ping = 'import docker; print(docker.from_env().info()["ID"])'
    def info = ['docker', 'info', '--format', '{{.ID}}']
    place = run(named ? [named, '-c', ping] : info)
    if (!place) { println 'MISSING access to a Docker Engine' }
}
println "PLACE $place"
def set = @HOME@
def home = System.getenv('RETUNE_HOME') ?: set ?: System.getProperty('user.home') + '/.retune'
println "HOME ${run(['stat', '--format=%i', home]) ?: 'absent'} $home"
println 'CHECKED'
"""


@dataclass(frozen=True)
class _Seen:
    """What an agent said of where it is: its Docker Engine or, without one, its machine."""

    agent: str
    place: str
    home: str
    inode: str


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
    if not settings.repository:
        yield Check(
            "unknown",
            "RETUNE_REPOSITORY does not name the repository of the model scripts; unless the "
            "agents' own settings do, set it and run this again.",
        )


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
        needed = ", ".join(sorted(set(PLUGINS.values())))
        why = f": {error}"
        if error.status == 403:
            why = f", which only an administrator may list; needed are {needed}."
        yield Check("unknown", f"The plugins were not checked{why}")
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
    seen = []
    for each in ready:
        check, place = _look(controller, each, settings)
        yield check
        seen += [place] if place else []
    if len(seen) > 1:
        yield _shared(seen, docker=settings.environment == "docker")


def _shared(seen: list[_Seen], *, docker: bool) -> Check:
    """Whether it is all the same to a study on which of the agents its builds run."""
    agents = " and ".join(
        filter(None, [", ".join(each.agent for each in seen[:-1]), seen[-1].agent])
    )
    what = "Docker Engine" if docker else "machine"
    own = (
        "give each a label and a folder of its own in RETUNE_JENKINS_LABEL and "
        "RETUNE_JENKINS_FOLDER, and provision each."
    )
    if len({each.place for each in seen}) > 1:
        return Check(
            "bad",
            f"The agents {agents} do not share one {what}, so that a build would not find the "
            f"environment that another has launched; {own}",
        )
    if len({each.home for each in seen}) > 1 or len({each.inode for each in seen}) > 1:
        homes = ", ".join(sorted({each.home for each in seen}))
        return Check(
            "bad",
            f"The agents {agents} do not share one home folder ({homes}); name a folder that all "
            f"of them mount in RETUNE_HOME, or {own}",
        )
    return Check("good", f"The agents {agents} share one {what} and one home folder")


def _node(computer: Mapping[str, Any]) -> str:
    """The name of a computer's node: that of the controller's own is empty."""
    own = computer["_class"].endswith("MasterComputer")
    return "" if own else str(computer["displayName"])


def _look(
    controller: Controller, computer: Mapping[str, Any], settings: Settings
) -> tuple[Check, _Seen | None]:
    name, docker = computer["displayName"], settings.environment == "docker"
    try:
        with controller.asking():
            said = controller.client.run_script(
                look_script(settings), node=_node(computer) or "(built-in)"
            )
    except ControllerError as error:
        if error.status == 403:
            text = "is online; what is installed there only an administrator may ask."
        else:
            text = f"is online, but did not say what it has: {error}"
        return Check("unknown", f"Agent {name} {text}"), None
    missing = re.findall(r"^MISSING (.*)$", said, re.MULTILINE)
    if missing:
        text = f"Agent {name} lacks {', '.join(missing)}; install that there."
        return Check("bad", text), None
    found = re.search(r"^PLACE (.*)\nHOME (\S+) (.*)$", said, re.MULTILINE)
    seen = _Seen(name, found[1], found[3], found[2]) if found else None
    tools = "git, Python and Docker" if docker else "git and Python"
    return Check("good", f"Agent {name} is online and has {tools}"), seen


def look_script(settings: Settings) -> str:
    """What is run on an agent. A home that is not set is in the home of the agent's user."""
    docker = str(settings.environment == "docker").lower()
    home = str(settings.home) if "home" in settings.model_fields_set else ""
    return _LOOK.replace("@DOCKER@", docker).replace("@HOME@", _literal(home))


def _literal(text: str) -> str:
    """A string of Groovy's."""
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
