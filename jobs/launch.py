"""Job 2, launch: what was pushed, with which data, and the environment that it needs."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from jobs import dataset
from jobs.context import Context
from jobs.ending import end_study
from jobs.environment.base import Limits, Specification
from jobs.environment.container import writable_places
from jobs.errors import RetuneError
from jobs.foresight import tweaked_scripts
from jobs.scheduler.base import Next, following
from jobs.settings import RepositorySettings, read_repository_settings
from jobs.source import detect
from jobs.source.explain import explain
from jobs.source.files import Checkout
from jobs.source.script import Reading
from jobs.source.wording import beginnings, moves_files, strings
from jobs.study import Study


def run(context: Context, study: str, trial: int) -> Next | None:
    """Read the trial's script, see to its data, and make sure that the environment is up.

    A push that cannot be trained (not a CNN, no such data set, a bad ``retune.toml``) ends the
    study with its reason. Raises RetuneError where the environment cannot be launched.
    """
    recorded = context.record.open(study)
    if not recorded.running:
        context.say(f"Study {study} is {recorded.get('state')}: nothing to launch.")
        return None
    try:
        reading = _read(context, recorded, trial)
        if reading.is_cnn:
            _prepare_data(context, recorded, reading)
    except RetuneError as error:
        end_study(context, recorded, "error", str(error))
        return None
    if not reading.is_cnn:
        reason = f"{reading.script} is not a CNN that trains. {' '.join(reading.reasons)}"
        end_study(context, recorded, "not-a-cnn", reason)
        return None
    launched = specification(context, recorded)
    assert launched is not None
    state = context.environment.launch(launched)
    recorded.set("environment", context.environment.describe())
    _record_reading(recorded, trial, reading)
    context.say(f"The environment is {state.condition.value}: {state.detail}.")
    return following("launch", study, trial)


def specification(context: Context, study: Study) -> Specification | None:
    """The environment of a study, the same at every launch; None before the first one."""
    facts = study.facts()
    if "data_folders" not in facts:
        return None
    settings = context.settings
    return Specification(
        study=study.name,
        folder=context.folder(study.name),
        data={name: Path(folder) for name, folder in facts["data_folders"].items()},
        absolute={path: Path(folder) for path, folder in facts["data_absolute"].items()},
        writable=tuple(facts.get("writable", ())),
        limits=Limits(
            memory=settings.memory,
            cpus=settings.cpus,
            processes=settings.processes,
            shared_memory=settings.shared_memory,
        ),
        image=settings.image,
        gpus=settings.gpus,
    )


def _read(context: Context, study: Study, trial: int) -> Reading:
    """What the trial's checkout holds. The first trial fixes script and wishes for the study."""
    checkout, facts = context.source(study.name, trial), study.facts()
    script = facts.get("script")
    if script is None:
        wanted = read_repository_settings(checkout)
        reading = detect.find(checkout, wanted.script, wanted.hold, wanted.allow)
        _record_wishes(context, study, wanted, reading)
        context.say(explain(reading))
        return reading
    attrs = study.trial(trial).frozen().user_attrs
    known = tweaked_scripts(context, study).reading(
        attrs.get("parent"), attrs.get("tweak", {}), trial
    )
    return known or detect.read(
        checkout, script, hold=facts.get("hold", []), allow=facts.get("allow", [])
    )


def _record_wishes(
    context: Context, study: Study, wanted: RepositorySettings, reading: Reading
) -> None:
    settings = context.settings
    facts = {
        "target": wanted.target or settings.target,
        "max_trials": min(wanted.trials or settings.trials, settings.trials),
        "max_hours": min(wanted.hours or settings.hours, settings.hours),
        "wanted_recipients": wanted.recipients,
        "hold": wanted.hold,
        "allow": wanted.allow,
        "inherit": wanted.inherit,
        "confirm": wanted.confirm,
        "arguments": wanted.arguments,
        "script": reading.script,
        "trains_steadily": reading.trains_steadily,
    }
    study.record(facts)


def _prepare_data(context: Context, study: Study, reading: Reading) -> None:
    """Find, check and cache the data, once for the study."""
    if study.get("data_folders") is not None:
        return
    notes: list[str] = []

    def note(line: str) -> None:
        notes.append(line)
        context.say(line)

    checkout = context.source(study.name, 0)
    files = Checkout(checkout)
    wanted = read_repository_settings(checkout)
    prepared = dataset.prepare(
        context.settings,
        wanted,
        checkout,
        reading.data,
        reading.images,
        note,
        strings(files) | set(wanted.arguments),
    )
    counts = prepared.check.counts if prepared.check is not None else {}
    writable = writable_places(beginnings(files))
    absolute = dict(prepared.absolute)
    if moves_files(files):
        # It fills its data's folders by itself: the trainer makes them, of links, where it may.
        absolute = {path: at for path, at in absolute.items() if not _is_below(path, writable)}
    facts = {
        "dataset": prepared.name,
        "data": dict(prepared.mapping),
        "data_absolute": {path: str(folder) for path, folder in absolute.items()},
        "writable": list(writable),
        "notes": notes,
        "chance": _chance(counts),
        "validation_images": prepared.images.get("validation"),
        "data_folders": {name: str(folder) for name, folder in prepared.folders.items()},
    }
    study.record(facts)


def _chance(counts: Mapping[str, Mapping[str, int]]) -> float | None:
    """What is right of validation images by naming the commonest class alone.

    None where the classes are not the folders.
    """
    most: Mapping[str, int] = max(counts.values(), key=len, default={})
    images = (counts.get("validation") or most).values()
    return max(images) / sum(images) if len(images) > 1 else None


def _is_below(path: str, places: Iterable[str]) -> bool:
    place = PurePosixPath(os.path.normpath(path))
    return any(place.is_relative_to(each) and str(place) != each for each in places)


def _record_reading(study: Study, trial: int, reading: Reading) -> None:
    known = {}
    for frozen in study.frozen():
        if frozen.number != trial:
            known.update(frozen.distributions)
    study.trial(trial).record_reading(reading, known)


if __name__ == "__main__":
    from jobs.command import main

    main("launch")
