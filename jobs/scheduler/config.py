"""The configuration of Jenkins' folder, jobs and view as XML, and how to tell that it changed.

Jenkins adds to what it is given (plugin versions, defaults, its own notes), so what it stores is
never what was sent. A fingerprint in the description remembers two digests: of what was wanted, and
of what Jenkins made of it. The first tells that Retune has something new to say, the second that
somebody else has changed it.
"""

import difflib
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from dataclasses import dataclass

from jobs.scheduler.base import JOBS, JobName

VIEW = "Retune"
MADE_BY_RETUNE = "Made by Retune."
JENKINSFILE = "Jenkinsfile"

_FINGERPRINT = re.compile(r"\s*\(fingerprint ([0-9a-f]{8})-([0-9a-f]{8})\)")
_WORKFLOW = "org.jenkinsci.plugins.workflow"

_STORY: Mapping[JobName, str] = {
    "pull": "Takes a push, or the next trial's commit, and checks out exactly that commit.",
    "launch": "Reads the model script, sees to its data set, and launches the environment.",
    "train": "Trains one trial, an epoch a line, and records its accuracy.",
    "tune": "At the target: branch, page and mail. Otherwise it commits and pushes the next tweak.",
    "watch": "Every minute: relaunches what has died, and restarts studies that stand still.",
}
_STUDY_PARAMETERS = {
    "STUDY": "name of the study, such as main-1a2b3c4",
    "TRIAL": "number of the trial, from 0",
}
_PUSH_PARAMETERS = {
    "BRANCH": "instead of a study: a pushed branch, without refs/heads/",
    "COMMIT": "and the pushed commit, all 40 digits",
}


@dataclass(frozen=True)
class Source:
    """Where Jenkins takes Retune itself from. ``credentials`` is the id of Jenkins credentials."""

    url: str
    branch: str
    credentials: str | None = None


@dataclass(frozen=True)
class Kept:
    """How many builds are kept, and of how many the artefacts."""

    builds: int
    artifacts: int


_KEPT: Mapping[JobName, Kept] = {
    "pull": Kept(200, 5),
    "launch": Kept(200, 5),
    "train": Kept(200, 20),
    "tune": Kept(200, 20),
    "watch": Kept(120, 5),
}
_ALONE: tuple[JobName, ...] = ("tune", "watch")
"""One build at a time: two would push, or relaunch, the same. For train the operator chooses."""


def job_xml(job: JobName, source: Source, *, label: str, parallel: bool) -> str:
    """A Pipeline whose script is the Jenkinsfile of ``source``.

    ``label``: of the agents, empty for any. ``parallel``: whether trainings may run beside each
    other.
    """
    root = ET.Element("flow-definition")
    _text(root, "description", f"{_STORY[job]} {MADE_BY_RETUNE}")
    # Views sort by this name.
    _text(root, "displayName", f"{JOBS.index(job) + 1} {job}")
    _text(root, "keepDependencies", "false")
    properties = ET.SubElement(root, "properties")
    if job in _ALONE or (job == "train" and not parallel):
        alone = ET.SubElement(
            properties, f"{_WORKFLOW}.job.properties.DisableConcurrentBuildsJobProperty"
        )
        _text(alone, "abortPrevious", "false")
    _discarder(properties, _KEPT[job])
    _parameters(properties, job, label)
    if job == "watch":
        triggers = ET.SubElement(
            ET.SubElement(properties, f"{_WORKFLOW}.job.properties.PipelineTriggersJobProperty"),
            "triggers",
        )
        _text(ET.SubElement(triggers, "hudson.triggers.TimerTrigger"), "spec", "* * * * *")
    _definition(root, source)
    ET.SubElement(root, "triggers")
    _text(root, "disabled", "false")
    return _serialised(root)


def _discarder(properties: ET.Element, kept: Kept) -> None:
    discarder = ET.SubElement(properties, "jenkins.model.BuildDiscarderProperty")
    strategy = ET.SubElement(discarder, "strategy", {"class": "hudson.tasks.LogRotator"})
    _text(strategy, "daysToKeep", "-1")
    _text(strategy, "numToKeep", str(kept.builds))
    _text(strategy, "artifactDaysToKeep", "-1")
    _text(strategy, "artifactNumToKeep", str(kept.artifacts))


def _parameters(properties: ET.Element, job: JobName, label: str) -> None:
    parameters = {} if job == "watch" else dict(_STUDY_PARAMETERS)
    if job == "pull":
        parameters |= _PUSH_PARAMETERS
    described = [(name, text, "") for name, text in parameters.items()]
    if label:
        described.append(("AGENT", "label of the agents", label))
    if not described:
        return
    definitions = ET.SubElement(
        ET.SubElement(properties, "hudson.model.ParametersDefinitionProperty"),
        "parameterDefinitions",
    )
    for name, text, default in described:
        definition = ET.SubElement(definitions, "hudson.model.StringParameterDefinition")
        _text(definition, "name", name)
        _text(definition, "description", text)
        _text(definition, "defaultValue", default)
        _text(definition, "trim", "true")


def _definition(root: ET.Element, source: Source) -> None:
    definition = ET.SubElement(
        root, "definition", {"class": f"{_WORKFLOW}.cps.CpsScmFlowDefinition"}
    )
    scm = ET.SubElement(definition, "scm", {"class": "hudson.plugins.git.GitSCM"})
    _text(scm, "configVersion", "2")
    remote = ET.SubElement(
        ET.SubElement(scm, "userRemoteConfigs"), "hudson.plugins.git.UserRemoteConfig"
    )
    _text(remote, "url", source.url)
    if source.credentials:
        _text(remote, "credentialsId", source.credentials)
    branch = ET.SubElement(ET.SubElement(scm, "branches"), "hudson.plugins.git.BranchSpec")
    _text(branch, "name", f"refs/heads/{source.branch}")
    _text(scm, "doGenerateSubmoduleConfigurations", "false")
    ET.SubElement(scm, "submoduleCfg", {"class": "empty-list"})
    ET.SubElement(scm, "extensions")
    _text(definition, "scriptPath", JENKINSFILE)
    _text(definition, "lightweight", "true")


def view_xml() -> str:
    """The list of the five jobs in their order."""
    root = ET.Element("hudson.model.ListView")
    _text(root, "name", VIEW)
    _text(root, "description", f"The five jobs in the order in which they run. {MADE_BY_RETUNE}")
    _text(root, "filterExecutors", "false")
    _text(root, "filterQueue", "false")
    ET.SubElement(root, "properties", {"class": "hudson.model.View$PropertyList"})
    names = ET.SubElement(root, "jobNames")
    ET.SubElement(names, "comparator", {"class": "java.lang.String$CaseInsensitiveComparator"})
    for job in sorted(JOBS):
        _text(names, "string", job)
    ET.SubElement(root, "jobFilters")
    columns = ET.SubElement(root, "columns")
    for column in ("Status", "Weather", "Job", "LastSuccess", "LastFailure", "LastDuration"):
        ET.SubElement(columns, f"hudson.views.{column}Column")
    ET.SubElement(columns, "hudson.views.BuildButtonColumn")
    _text(root, "recurse", "false")
    return _serialised(root)


def folder_xml(description: str = "") -> str:
    root = ET.Element("com.cloudbees.hudson.plugins.folder.Folder")
    _text(root, "description", description)
    return _serialised(root)


def edited_folder(stored: str, *, description: str, primary_view: str) -> str:
    """A folder's configuration with these two changed. All else in it is somebody else's."""
    root = ET.fromstring(_parseable(stored))
    found = root.find("description")
    if found is None:
        found = ET.Element("description")
        root.insert(0, found)
    found.text = description
    views = root.find("folderViews")
    if views is not None:
        primary = views.find("primaryView")
        if primary is None:
            primary = ET.Element("primaryView")
            views.insert(1, primary)
        primary.text = primary_view
    return _serialised(root)


def description_of(xml: str) -> str:
    return ET.fromstring(_parseable(xml)).findtext("description") or ""


def made_by_retune(xml: str, source: Source | None = None) -> bool:
    """By its description or, where somebody has rewritten that, by what it runs."""
    if MADE_BY_RETUNE in description_of(xml):
        return True
    root = ET.fromstring(_parseable(xml))
    return source is not None and (
        root.findtext("definition/scriptPath") == JENKINSFILE
        and root.findtext("definition/scm/userRemoteConfigs/*/url") == source.url
    )


# Telling changes ---------------------------------------------------------------------------------


def signed(xml: str) -> str:
    """``xml`` with a fingerprint that does not know yet what Jenkins makes of it."""
    root = ET.fromstring(_parseable(xml))
    description = root.find("description")
    assert description is not None
    description.text = signed_description(xml)
    return _serialised(root)


def signed_description(xml: str, stored: str | None = None) -> str:
    """The description in ``xml`` with the fingerprint. ``stored``: what Jenkins has made of it."""
    made = "0" * 8 if stored is None else _digest(stored)
    return f"{description_of(xml)} (fingerprint {_digest(xml)}-{made})"


def up_to_date(stored: str, wanted: str) -> bool:
    """Whether ``wanted`` has been written and kept, and nobody has changed it since."""
    found = _FINGERPRINT.search(description_of(stored))
    return (
        found is not None
        and found.groups() == (_digest(wanted), _digest(stored))
        and not lost(stored, wanted)
    )


def changed_by_hand(stored: str) -> bool:
    """Whether somebody has changed it since it was written."""
    found = _FINGERPRINT.search(description_of(stored))
    return found is None or found.group(2) != _digest(stored)


def difference(stored: str, wanted: str) -> str:
    """What would change, as a unified diff without what Jenkins adds by itself."""
    before, after = canonical(stored).splitlines(), canonical(wanted).splitlines()
    return "\n".join(list(difflib.unified_diff(before, after, lineterm="", n=1))[2:])


def lost(stored: str, wanted: str) -> str:
    """The first line of ``wanted`` that Jenkins has dropped, as it does without its plugin."""
    lines = difference(stored, wanted).splitlines()
    return next((line[1:].strip() for line in lines if line.startswith("+")), "")


def canonical(xml: str) -> str:
    """Indented, without plugin versions, Jenkins' own notes and the fingerprint."""
    root = ET.fromstring(_parseable(xml))
    for actions in root.findall("actions"):
        root.remove(actions)
    for element in root.iter():
        element.attrib.pop("plugin", None)
        if len(element) or not (element.text or "").strip():
            element.text = None
        element.tail = None
    description = root.find("description")
    if description is not None and description.text:
        description.text = _FINGERPRINT.sub("", description.text)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode")


def _digest(xml: str) -> str:
    return hashlib.sha256(canonical(xml).encode()).hexdigest()[:8]


def _parseable(xml: str) -> str:
    """Jenkins declares XML 1.1, which Expat does not know."""
    return re.sub(r"^\s*<\?xml[^>]*\?>", "", xml)


def _text(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, name).text = value


def _serialised(root: ET.Element) -> str:
    return "<?xml version='1.1' encoding='UTF-8'?>\n" + ET.tostring(root, encoding="unicode")
