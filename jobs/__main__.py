"""The command line: ``python -m jobs <command>``."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.errors import RetuneError

if TYPE_CHECKING:
    from jobs.source.script import Reading

Command = Callable[[argparse.Namespace], int]

# Each command imports what it needs when it runs: `explain` answers without loading Optuna.


def main() -> None:
    arguments = _parser().parse_args()
    try:
        status = _COMMANDS[arguments.command](arguments)
    except RetuneError as error:
        print(f"Retune: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    except BrokenPipeError:
        sys.stderr.close()
        status = 1
    sys.exit(status)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m jobs", description="Retune trains and tunes a Keras CNN on every git push."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text[:1].upper() + text[1:] + ".")

    demo = add("demo", "show the whole loop on this machine, from git push to the mail")
    demo.add_argument("--environment", choices=("process", "docker"), default="process")
    demo.add_argument("--data", type=Path, help="folder of class folders instead of drawn faces")
    demo.add_argument("--target", type=float, help="validation accuracy to reach, 0 to 1")
    demo.add_argument("--trials", type=int, default=12, help="most trials (default: 12)")
    demo.add_argument("--folder", type=Path, help="where to put everything; new or empty")

    run = add("run", "run the jobs of a push or of a study here, until the study ends")
    run.add_argument("--branch", help="a pushed branch")
    run.add_argument("--commit", help="its commit, all 40 digits")
    run.add_argument("--study", help="a study, to go on with")
    run.add_argument("--trial", type=int, help="its trial (default: where it stands)")
    run.add_argument("--job", choices=("pull", "launch", "train", "tune"), help="the job to run")

    explain = add("explain", "say what a script or repository is and what can be tuned in it")
    explain.add_argument("path", type=Path, help="a Python file, a notebook, or a folder")
    explain.add_argument("--json", action="store_true", help="as JSON")

    provision = add("provision", "create or update the five jobs on a Jenkins controller")
    provision.add_argument("--dry-run", action="store_true", help="say what would change")
    provision.add_argument("--remove", action="store_true", help="take away what was made")

    hooks = add("hooks", "install or remove the git hooks of a clone or of a bare repository")
    hooks.add_argument("action", choices=("install", "remove"))
    hooks.add_argument("folder", type=Path, nargs="?", default=Path())

    webhook = add(
        "webhook", "receive the webhooks of GitHub, GitLab or Gitea: a push starts a study"
    )
    webhook.add_argument("--host", default="127.0.0.1", help="address to listen at (127.0.0.1)")
    webhook.add_argument("--port", type=int, default=8083, help="port to listen at (8083)")

    status = add("status", "show queue, builds and studies")
    status.add_argument("--json", action="store_true", help="as JSON")
    status.add_argument("--watch", action="store_true", help="again every two seconds")

    report = add("report", "write the page of a study and say where it is")
    report.add_argument("study", nargs="?", help="name of the study (default: the last one)")

    add("watch", "run job 5 once")
    resume = add("resume", "go on with a study that was stopped by hand")
    resume.add_argument("study", help="name of the study")
    pause = add("pause", "stop a study by hand; resume goes on with it")
    pause.add_argument("study", help="name of the study")
    add("settings", "print the settings that hold and where they came from")
    return parser


def _demo(arguments: argparse.Namespace) -> int:
    from jobs.demo import demo

    return demo(
        environment=arguments.environment,
        data=arguments.data,
        target=arguments.target,
        trials=arguments.trials,
        folder=arguments.folder,
    )


def _run(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.chain import run_chain, run_push
    from jobs.command import Interrupted, prepare
    from jobs.context import make_context
    from jobs.pause import pause
    from jobs.pull import study_name
    from jobs.scheduler.base import Next, Push
    from jobs.stage import next_step

    prepare()
    context = make_context(settings.load())
    if arguments.study:
        study = arguments.study
        step = next_step(context, context.record.open(study))
        if arguments.trial is not None or arguments.job:
            trial = step.trial if arguments.trial is None else arguments.trial
            step = Next(arguments.job or step.job, study, trial)
    elif arguments.branch and arguments.commit:
        study = study_name(arguments.branch, arguments.commit)
    else:
        raise RetuneError("run needs --branch and --commit, or --study.")
    try:
        if arguments.study:
            run_chain(context, step)
        else:
            run_push(context, Push(arguments.branch, arguments.commit))
    except Interrupted:
        pause(context, study)
        return 130
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    import json

    from jobs.source.explain import as_json, explain

    path: Path = arguments.path
    if path.is_dir():
        reading = _find(path)
    elif path.exists():
        reading = _read(path)
    else:
        raise RetuneError(f"There is no file or folder {path}.")
    print(json.dumps(as_json(reading), indent=2) if arguments.json else explain(reading))
    return 0


def _find(folder: Path) -> "Reading":
    from jobs.source import detect

    if not os.path.lexists(folder / "retune.toml"):
        return detect.find(folder)  # without the settings, which take longer to load than to use
    from jobs.settings import read_repository_settings

    wanted = read_repository_settings(folder)
    return detect.find(folder, wanted.script, wanted.hold, wanted.allow)


def _read(path: Path) -> "Reading":
    """A file, as the jobs read it: with the wishes in its repository's ``retune.toml``."""
    from jobs.source import detect

    # Not resolved: a link is to be judged as one.
    folder = Path(os.path.abspath(path)).parent
    root = next(
        (each for each in (folder, *folder.parents) if os.path.lexists(each / ".git")), folder
    )
    if not os.path.lexists(root / "retune.toml"):
        return detect.read(path.parent, path.name)
    from jobs.settings import read_repository_settings

    wanted = read_repository_settings(root)
    script = (folder / path.name).relative_to(root).as_posix()
    return detect.read(root, script, wanted.hold, wanted.allow)


def _provision(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.provision import provision

    return provision(settings.load(), dry_run=arguments.dry_run, remove=arguments.remove)


def _hooks(arguments: argparse.Namespace) -> int:
    from jobs import hooks

    action = hooks.install if arguments.action == "install" else hooks.remove
    for line in action(arguments.folder):
        print(line)
    return 0


def _webhook(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.webhook import webhook

    return webhook(settings.load(), arguments.host, arguments.port)


def _status(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.status import status

    return status(settings.load(), as_json=arguments.json, watch=arguments.watch)


def _report(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.context import make_context
    from jobs.publish import publish

    context = make_context(settings.load())
    studies = context.record.studies()
    if not studies:
        raise RetuneError("No study is recorded yet; a push to the repository starts one.")
    study = context.record.open(arguments.study) if arguments.study else studies[-1]
    print(publish(context, study))
    return 0


def _watch(_: argparse.Namespace) -> int:
    from jobs import settings, watch
    from jobs.command import prepare
    from jobs.context import make_context

    prepare()
    watch.run(make_context(settings.load()))
    return 0


def _resume(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.context import make_context
    from jobs.pause import resume

    resume(make_context(settings.load()), arguments.study)
    return 0


def _pause(arguments: argparse.Namespace) -> int:
    from jobs import settings
    from jobs.context import make_context
    from jobs.pause import pause

    context = make_context(settings.load())
    context.record.open(arguments.study)
    pause(context, arguments.study)
    return 0


def _settings(_: argparse.Namespace) -> int:
    from rich.console import Console
    from rich.table import Table

    from jobs import settings

    table = Table("setting", "value", "from", "what it is", box=None, header_style="bold")
    for each in settings.provenance(settings.load()):
        table.add_row(each.variable, each.shown, each.origin, each.description)
    Console().print(table)
    return 0


def _with_record(command: Command) -> Command:
    """A storage that goes away meanwhile ends the command with one sentence."""

    def guarded(arguments: argparse.Namespace) -> int:
        from jobs.study import storage_errors

        with storage_errors():
            return command(arguments)

    return guarded


_COMMANDS: dict[str, Command] = {
    "demo": _with_record(_demo),
    "run": _with_record(_run),
    "explain": _explain,
    "provision": _provision,
    "hooks": _hooks,
    "webhook": _webhook,
    "status": _with_record(_status),
    "report": _with_record(_report),
    "watch": _with_record(_watch),
    "resume": _with_record(_resume),
    "pause": _with_record(_pause),
    "settings": _settings,
}

if __name__ == "__main__":
    main()
