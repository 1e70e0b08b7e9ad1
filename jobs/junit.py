"""A JUnit file of a study, so that Jenkins draws its trend.

Each trial is a test case: it passes where it was trained to its end, whatever its accuracy, and
fails where it failed, with its reason. The number of tests grows by one with each trial, a red
part in the trend is a failed training, and the length of a case is the time that its trial took.
Missing the target is no failure: below the target is where every study starts.
"""

from pathlib import Path
from xml.etree import ElementTree

from jobs.report import failure
from jobs.study import StudyView


def write_junit(view: StudyView, path: Path) -> None:
    finished = [each for each in view.trials if each.state != "running"]
    suite = ElementTree.Element(
        "testsuite",
        name=f"retune.{view.branch}",
        tests=str(len(finished)),
        failures=str(sum(each.state == "failed" for each in finished)),
        time=f"{sum(each.seconds for each in finished):.3f}",
    )
    for each in finished:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            classname=f"retune.{_plain(view.branch)}",
            name=f"trial {each.number}: {_plain(each.words)}",
            time=f"{each.seconds:.3f}",
        )
        if each.state == "failed":
            reason = _plain(failure(each))
            ElementTree.SubElement(case, "failure", message=reason).text = reason
        elif each.objective is not None:
            out = ElementTree.SubElement(case, "system-out")
            out.text = f"validation accuracy {each.objective:.4f}\n{_plain(each.diagnosis)}"
    ElementTree.indent(suite)
    ElementTree.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)


def _plain(text: str) -> str:
    """Without the characters that XML does not allow."""
    return "".join(char for char in text if char in "\t\n" or ord(char) >= 32)
