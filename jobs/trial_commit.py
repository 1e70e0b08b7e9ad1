"""What a trial's commit says: the tweak in words, why it is tried, and where it belongs."""

from dataclasses import dataclass

from jobs.repository import PARENT_TRAILER, STUDY_TRAILER, TRIAL_TRAILER
from jobs.search.proposal import CONFIRM, Proposal
from jobs.source.words import describe
from jobs.study import Study


@dataclass(frozen=True)
class TrialCommit:
    """``parent``: the id of the commit that it follows."""

    parent: str
    words: str
    message: str


def planned_commit(study: Study, number: int, proposal: Proposal) -> TrialCommit:
    """The commit of the trial of a number, as it is proposed. Where it changes nothing it has no
    commit of its own, but its parent's."""
    parent = study.trial(proposal.parent).frozen().user_attrs
    before = parent.get("values", {})
    words = describe(before, {**before, **proposal.tweak}) if proposal.tweak else ""
    if proposal.kind == CONFIRM:
        words = ", ".join(filter(None, ["from scratch", words]))
    return TrialCommit(
        str(parent.get("commit")), words, _message(study.name, number, proposal, words)
    )


def _message(study: str, number: int, proposal: Proposal, words: str) -> str:
    subject = f"Trial {number}: {words}"
    body = proposal.sentence
    if len(subject) > 100:
        subject, body = f"Trial {number}: {proposal.kind}", f"{words}.\n\n{body}"
    trailers = {
        STUDY_TRAILER: study,
        TRIAL_TRAILER: number,
        PARENT_TRAILER: proposal.parent,
    }
    lines = [f"{key}: {value}" for key, value in trailers.items()]
    return "\n".join([subject, "", body, "", *lines]) + "\n"
