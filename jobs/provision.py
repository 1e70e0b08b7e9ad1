"""Make Jenkins run the five jobs: folder, jobs, view and stored settings; and take them away."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal

import requests

from jobs.errors import RetuneError
from jobs.preflight import checks
from jobs.scheduler import config
from jobs.scheduler.base import JOBS
from jobs.scheduler.config import MADE_BY_RETUNE, VIEW, Source
from jobs.scheduler.controller import Controller, ControllerError
from jobs.scheduler.stored_settings import CREDENTIAL, credential_xml, holds, settings_toml
from jobs.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
REPORT = "job/tune/lastSuccessfulBuild/artifact/report.html"


@dataclass(frozen=True)
class Change:
    """Something about to be changed. ``difference`` is a unified diff, or empty.

    ``overwrite``: somebody has changed it by hand.
    """

    action: Literal["create", "update", "overwrite", "remove", "leave"]
    what: str
    difference: str = ""

    def __str__(self) -> str:
        hand = " (changed by hand since)" if self.action == "overwrite" else ""
        lines = "".join(f"\n    {line}" for line in self.difference.splitlines())
        return f"{self.action} {self.what}{hand}{lines}"


def provision(
    settings: Settings,
    *,
    dry_run: bool = False,
    remove: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Check, then make or update what is missing, saying what; gives the exit status.

    Raises RetuneError where Jenkins refuses, or where a job of that name is somebody else's.
    """
    controller = Controller(settings)
    provisioner = _Provisioner(controller, settings, dry_run)
    if remove:
        changes = provisioner.remove()
    else:
        source = scm_source(settings)
        found = []
        for check in checks(controller, settings):
            say(str(check))
            found.append(check.state)
        if "bad" in found:
            say("Nothing was changed; put right what is marked with ✗ and run it again.")
            return 1
        changes = provisioner.make(source)
    count = 0
    for change in changes:
        say(str(change))
        count += change.action != "leave"
    if not count:
        say("There is nothing to change.")
    elif dry_run:
        say("This was a dry run: nothing was changed.")
    elif not remove:
        say(f"The jobs are at {controller.browser_address(controller.folder)}")
    return 0


def scm_source(settings: Settings) -> Source:
    """Where Jenkins takes Retune from: what is set, or where this checkout comes from.

    Raises RetuneError where neither is known.
    """
    url = settings.jenkins_scm_url
    if url is None:
        origin = _git("config", "--get", "remote.origin.url")
        top = _git("rev-parse", "--show-toplevel")
        url = origin or (top and Path(top).as_uri())
    if not url:
        raise RetuneError(
            "It is not known where Jenkins can take Retune from; give the git URL in "
            "RETUNE_JENKINS_SCM_URL."
        )
    if url.startswith("/"):
        url = Path(url).as_uri()
    return Source(url, settings.jenkins_scm_branch, settings.jenkins_scm_credentials)


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


class _Provisioner:
    """Brings one controller to what is wanted, or with ``dry_run`` only says what that takes.

    Both ways give each change just before it is made.
    """

    def __init__(self, controller: Controller, settings: Settings, dry_run: bool) -> None:
        self.controller, self.settings, self.dry_run = controller, settings, dry_run
        self.client, self.folder = controller.client, controller.folder
        self.view = f"{self.folder}/{VIEW}"

    # Making ----------------------------------------------------------------------------------

    def make(self, source: Source) -> Iterator[Change]:
        yield from self._make_folders()
        for job in JOBS:
            wanted = config.job_xml(
                job,
                source,
                label=self.settings.jenkins_label,
                parallel=self.settings.jenkins_parallel,
            )
            yield from self._make(_Item(self, f"job {self.controller.name(job)}"), wanted, source)
        yield from self._make(_Item(self, f"view {self.view}"), config.view_xml())
        yield from self._describe_folder()
        yield from self._store_settings()

    def _make_folders(self) -> Iterator[Change]:
        parts = self.folder.split("/")
        for depth in range(1, len(parts) + 1):
            name = "/".join(parts[:depth])
            item = _Item(self, f"job {name}")
            if item.stored() is not None:
                continue
            yield Change("create", f"folder {name}")
            if not self.dry_run:
                own = MADE_BY_RETUNE if name == self.folder else ""
                item.create(config.folder_xml(own))

    def _make(self, item: "_Item", wanted: str, source: Source | None = None) -> Iterator[Change]:
        stored = item.stored()
        if stored is None:
            yield Change("create", item.what)
        elif config.up_to_date(stored, wanted):
            return
        elif not config.made_by_retune(stored, source):
            raise RetuneError(
                f"Jenkins has a {item.what} that is not Retune's; rename it, or choose another "
                "folder in RETUNE_JENKINS_FOLDER."
            )
        else:
            difference = config.difference(stored, wanted)
            by_hand = config.changed_by_hand(stored)
            yield Change("overwrite" if by_hand else "update", item.what, difference)
        if self.dry_run:
            return
        if stored is None:
            item.create(config.signed(wanted))
        else:
            item.change(config.signed(wanted))
        # Jenkins keeps what it was sent until it has a reason of its own to write it.
        item.describe(config.signed_description(wanted))
        made = item.stored() or ""
        if lost := config.lost(made, wanted):
            raise RetuneError(
                f"Jenkins has not kept all of {item.what} ({lost}): a plugin that this needs is "
                "missing or could not be loaded; see Manage Jenkins > Plugins, and run it again."
            )
        item.describe(config.signed_description(wanted, made))

    def _describe_folder(self) -> Iterator[Change]:
        """Describe the folder and open it at our view, unless it is somebody else's."""
        item = _Item(self, f"job {self.folder}")
        stored = item.stored()
        if stored is None or not config.made_by_retune(stored):
            return
        wanted = config.edited_folder(
            stored, description=self._folder_description(), primary_view=VIEW
        )
        if config.canonical(wanted) == config.canonical(stored):
            return
        if config.description_of(stored) != MADE_BY_RETUNE:  # else it has only just been created
            yield Change("update", f"folder {self.folder}", config.difference(stored, wanted))
        if not self.dry_run:
            item.change(wanted)

    def _folder_description(self) -> str:
        """With a link where Jenkins is set to show HTML, which it escapes by default."""
        page = f"{self.controller.browser_address(self.folder)}{REPORT}"
        text = "Retune trains and tunes a Keras CNN on every push."
        request = requests.Request(
            "POST",
            f"{self.controller.url}/markupFormatter/previewDescription",
            data={"text": "<b>x</b>"},
        )
        try:
            with self.controller.asking():
                html = "<b>x</b>" in self.client.jenkins_open(request)
        except ControllerError:
            html = False
        if html:
            return f'{text} <a href="{escape(page)}">Page of the last study</a>. {MADE_BY_RETUNE}'
        return f"{text} The page of the last study: {page} . {MADE_BY_RETUNE}"

    def _store_settings(self) -> Iterator[Change]:
        wanted = settings_toml(self.settings)
        if not self.settings.jenkins_settings or not wanted:
            return
        credential = f"credential {self.folder}/{CREDENTIAL}"
        try:
            stored = self._credential_description()
        except ControllerError as error:
            if error.status != 403:
                raise
            yield Change(
                "leave",
                f"{credential}; builds take their settings from the agents, since {error}",
            )
            return
        if stored is not None and holds(stored, wanted):
            return
        yield Change("create" if stored is None else "update", credential)
        if self.dry_run:
            return
        xml = credential_xml(wanted)
        with self.controller.asking():
            if stored is None:
                self.client.create_credential(self.folder, xml)
            else:
                self.client.reconfig_credential(self.folder, xml)

    def _credential_description(self) -> str | None:
        try:
            with self.controller.asking():
                found = self.client.get_credential_info(CREDENTIAL, self.folder)
        except ControllerError as error:
            if error.absent:
                return None
            raise
        return str(found.get("description") or "")

    # Removing --------------------------------------------------------------------------------

    def remove(self) -> Iterator[Change]:
        folder = _Item(self, f"job {self.folder}")
        stored = folder.stored()
        if stored is None:
            return
        ours = config.made_by_retune(stored)
        credential = self._credential_description()
        if credential is not None and MADE_BY_RETUNE in credential:
            yield Change("remove", f"credential {self.folder}/{CREDENTIAL}")
            if not self.dry_run:
                with self.controller.asking():
                    self.client.delete_credential(CREDENTIAL, self.folder)
        others = self._other_jobs()
        for job in JOBS:
            item = _Item(self, f"job {self.controller.name(job)}")
            found = item.stored()
            if found is None:
                continue
            if config.made_by_retune(found):
                yield Change("remove", f"{item.what} and its builds")
                if not self.dry_run:
                    item.delete()
            else:
                others.append(job)
                yield Change("leave", f"{item.what}, which is not Retune's")
        if ours and not others:
            yield Change("remove", f"folder {self.folder}")
            if not self.dry_run:
                folder.delete()
            return
        view = _Item(self, f"view {self.view}")
        found = view.stored()
        if found is not None and config.made_by_retune(found):
            yield Change("remove", view.what)
            if not self.dry_run:
                # As it is now: the folder's configuration holds its credentials as well.
                now = folder.stored()
                if ours and now is not None:
                    kept = config.edited_folder(now, description=MADE_BY_RETUNE, primary_view="All")
                    folder.change(kept)
                view.delete()
        held = f", which holds {', '.join(others)}" if others else ", which is not Retune's"
        yield Change("leave", f"folder {self.folder}{held}")

    def _other_jobs(self) -> list[str]:
        path = self.controller.address(self.folder).removeprefix(f"{self.controller.url}/")
        found = self.controller.ask(path, "jobs[name]").get("jobs", [])
        return [each["name"] for each in found if each["name"] not in JOBS]


class _Item:
    """A job, folder or view of the controller: ``what`` is its kind and full name."""

    def __init__(self, provisioner: _Provisioner, what: str) -> None:
        self.what = what
        self.kind, _, self.name = what.partition(" ")
        self._asking, self._client = provisioner.controller.asking, provisioner.client
        folder, _, last = self.name.rpartition("/")
        address = provisioner.controller.address
        self._address = (
            address(self.name) if self.kind == "job" else f"{address(folder)}view/{last}/"
        )

    def stored(self) -> str | None:
        """Its configuration, None where there is no such thing."""
        read = self._client.get_job_config if self.kind == "job" else self._client.get_view_config
        try:
            with self._asking():
                return str(read(self.name))
        except ControllerError as error:
            if error.absent:
                return None
            raise

    def create(self, xml: str) -> None:
        with self._asking():
            if self.kind == "job":
                self._client.create_job(self.name, xml)
            else:
                self._client.create_view(self.name, xml)

    def change(self, xml: str) -> None:
        with self._asking():
            if self.kind == "job":
                self._client.reconfig_job(self.name, xml)
            else:
                self._client.reconfig_view(self.name, xml)

    def describe(self, description: str) -> None:
        """Change the description alone, whereupon Jenkins writes the rest in its own words."""
        request = requests.Request(
            "POST", f"{self._address}submitDescription", data={"description": description}
        )
        with self._asking():
            self._client.jenkins_open(request)

    def delete(self) -> None:
        """Jenkins stops what is built first, and answers 400 where that takes long."""
        delete = self._client.delete_job if self.kind == "job" else self._client.delete_view
        for left in (2, 1, 0):
            try:
                with self._asking():
                    delete(self.name)
            except ControllerError as error:
                if error.status != 400 or not left:
                    raise
            else:
                return
