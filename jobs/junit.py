"""A JUnit file of a study, so that Jenkins draws its trend.

Each trial is a test case: it passes where it was trained to its end, whatever its accuracy,
fails where it failed, with its reason, and is skipped where it was stopped by hand or with its
study. The number of tests grows by one with each trial, a red part in the trend is a failed
training, and the length of a case is the time that its trial took. Missing the target is no
failure: below the target is where every study starts.
"""

from pathlib import Path
from xml.etree import ElementTree

from jobs.files import write_whole
from jobs.printable import printable
from jobs.report import failure
from jobs.study import StudyView, TrialView


def write_junit(view: StudyView, path: Path) -> None:
    """Write the file whole; trials in training are not in it yet."""
    finished = [each for each in view.trials if each.state != "running"]
    suite = ElementTree.Element(
        "testsuite",
        name=_name(view),
        tests=str(len(finished)),
        failures=str(sum(_ending(each) == "failure" for each in finished)),
        skipped=str(sum(_ending(each) == "skipped" for each in finished)),
        time=f"{sum(each.seconds for each in finished):.3f}",
    )
    suite.extend(_case(each, _name(view)) for each in finished)
    ElementTree.indent(suite)
    write_whole(path, ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True))


def _name(view: StudyView) -> str:
    """Jenkins takes what stands before the last dot for the package."""
    return f"retune.{printable(view.branch).replace('.', '_')}"


def _case(trial: TrialView, classname: str) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=classname,
        name=f"trial {trial.number}: {printable(trial.words)}",
        time=f"{trial.seconds:.3f}",
    )
    if ending := _ending(trial):
        reason = printable(failure(trial))
        ElementTree.SubElement(case, ending, message=reason).text = reason
    elif trial.objective is not None:
        out = ElementTree.SubElement(case, "system-out")
        told = f"validation accuracy {trial.objective:.4f}\n{trial.diagnosis}"
        out.text = printable(told)
    return case


def _ending(trial: TrialView) -> str:
    """The JUnit element that says how a case ended; empty where it passed."""
    if trial.state != "failed":
        return ""
    stopped = trial.result is not None and trial.result.outcome == "stopped"
    return "skipped" if stopped else "failure"
