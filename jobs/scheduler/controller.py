"""One Jenkins controller, asked through python-jenkins; every refusal becomes one sentence."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import jenkins
import requests

from jobs.errors import RetuneError
from jobs.settings import Settings

TIMEOUT_SECONDS = 20.0


class ControllerError(RetuneError):
    """Jenkins refused or was silent. ``status`` is that of its answer, 0 where there was none."""

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status

    @property
    def absent(self) -> bool:
        """Whether there is no such thing, or none that this user may see."""
        return self.status == 404


class Controller:
    """The controller of the operator's settings; ``folder`` is the full name of the jobs' folder.

    ``client`` is for python-jenkins' own calls, made inside ``asking()``. All calls raise
    ControllerError.
    """

    def __init__(self, settings: Settings, timeout: float = TIMEOUT_SECONDS) -> None:
        if not settings.jenkins_url:
            raise RetuneError("No Jenkins is set; give its address in RETUNE_JENKINS_URL.")
        if not settings.jenkins_user or settings.jenkins_token is None:
            raise RetuneError(
                "Jenkins needs a user and an API token of that user; give them in "
                "RETUNE_JENKINS_USER and RETUNE_JENKINS_TOKEN."
            )
        self.url = settings.jenkins_url.rstrip("/")
        self.user = settings.jenkins_user
        self.folder = settings.jenkins_folder
        token = settings.jenkins_token.get_secret_value()
        self.client = jenkins.Jenkins(self.url, self.user, token, timeout=timeout)

    def name(self, job: str) -> str:
        """The full name of one of the five jobs."""
        return f"{self.folder}/{job}"

    def address(self, name: str = "") -> str:
        """The address of a job or folder by its full name, with a slash at its end."""
        parts = "".join(f"job/{quote(part)}/" for part in name.split("/") if part)
        return f"{self.url}/{parts}"

    def browser_address(self, name: str) -> str:
        """The address of a job or folder for people, as Jenkins has it in its own configuration.

        Other than that of the API where builds and browsers reach Jenkins by different names; that
        of the API where there is no such thing yet.
        """
        address = self.address(name)
        try:
            found = self.ask(address.removeprefix(f"{self.url}/"), "url").get("url")
        except ControllerError as error:
            if not error.absent:
                raise
            found = None
        return found or address

    def ask(self, path: str, tree: str, missing: str = "") -> Any:
        """The JSON of ``<url>/<path>api/json?tree=…``. ``missing`` is the sentence for 404."""
        request = requests.Request("GET", f"{self.url}/{path}api/json", params={"tree": tree})
        with self.asking(missing):
            return json.loads(self.client.jenkins_open(request, add_crumb=False))

    def start(self, job: str, parameters: Mapping[str, str]) -> None:
        """Queue a build of one of the five jobs, without a quiet period."""
        name = self.name(job)
        with self.asking(
            f"Jenkins at {self.url} has no job {name}, or does not show it to {self.user}; "
            "`python -m jobs provision` makes it."
        ):
            self.client.build_job(name, {**parameters, "delay": "0sec"})

    @contextmanager
    def asking(self, missing: str = "") -> Iterator[None]:
        """Turn whatever goes wrong inside into a ControllerError."""
        try:
            yield
        except (jenkins.JenkinsException, requests.RequestException, ValueError) as error:
            response = _response(error)
            status = 0 if response is None else response.status_code
            if response is None and "does not exist" in str(error):
                status = 404  # python-jenkins' own word for it
            sentence = self._sentence(error, response, status, missing)
            raise ControllerError(sentence, status) from error

    def _sentence(
        self, error: Exception, response: requests.Response | None, status: int, missing: str
    ) -> str:
        if status == 404:
            return missing or (
                f"Jenkins at {self.url} has nothing at that address; see that RETUNE_JENKINS_URL "
                "is right, with its path where it has one."
            )
        if response is not None:
            return self._refusal(response)
        return self._silence(error)

    def _refusal(self, response: requests.Response) -> str:
        status, said = response.status_code, response.text
        if status == 401:
            return (
                f"Jenkins at {self.url} does not accept the API token of {self.user}; make a new "
                "one (in Jenkins: your name > Security > API Token) and set RETUNE_JENKINS_TOKEN."
            )
        # Each of Jenkins' own pages carries a crumb, that of a right that is lacking as well.
        if "No valid crumb" in said and status == 403:
            return (
                f"Jenkins at {self.url} wants a CSRF crumb, which it does for passwords; set "
                f"RETUNE_JENKINS_TOKEN to an API token of {self.user}."
            )
        if status == 403:
            missing = re.search(r"is missing the ([\w/ ]+) permission", said)
            right = missing.group(1) if missing else "the right for that"
            return (
                f"Jenkins at {self.url} forbids it: the user {self.user} lacks {right}; have it "
                "granted in Jenkins' security settings or in the folder."
            )
        if status == 409:
            return (
                f"Jenkins at {self.url} takes no build of this job: it is disabled; enable it, or "
                "run `python -m jobs provision`."
            )
        if status == 400:
            return (
                f"Jenkins at {self.url} did not take the request ({_first_line(said)}); "
                "`python -m jobs provision` puts the jobs and their parameters right."
            )
        if status == 405:
            return (
                f"{self.url} sends requests on to another address; set RETUNE_JENKINS_URL to the "
                "one that a browser ends up at."
            )
        if status in (502, 503, 504):
            return (
                f"Jenkins at {self.url} is not ready ({status}): it is starting, or going down; "
                "try again in a minute."
            )
        return (
            f"Jenkins at {self.url} answered {status} ({_first_line(said)}); its system log says "
            "more."
        )

    def _silence(self, error: Exception) -> str:
        late = isinstance(error, jenkins.TimeoutException | requests.Timeout)
        if late or "Read timed out" in str(error):  # in the middle of an answer
            return (
                f"Jenkins at {self.url} did not answer in time; see how loaded it is, and that "
                "RETUNE_JENKINS_URL is right."
            )
        if isinstance(error, requests.exceptions.ProxyError):
            return (
                f"The proxy for {self.url} does not answer; correct HTTPS_PROXY or HTTP_PROXY, or "
                "name the host in NO_PROXY."
            )
        if isinstance(error, requests.exceptions.SSLError):
            return (
                f"The certificate of {self.url} is not trusted; give the certificate authority's "
                "file in REQUESTS_CA_BUNDLE."
            )
        if isinstance(error, requests.ConnectionError):
            return (
                f"Jenkins at {self.url} cannot be reached ({_cause(error)}); see that it runs and "
                "that RETUNE_JENKINS_URL is right."
            )
        if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
            return f"RETUNE_JENKINS_URL is {self.url}, which is not an address."
        return (
            f"{self.url} answers, but not as Jenkins does; see that RETUNE_JENKINS_URL is right, "
            "with its path where it has one."
        )


def _response(error: BaseException | None) -> requests.Response | None:
    """The answer that an error, or one that it was raised from, came with."""
    while error is not None:
        if isinstance(error, requests.HTTPError) and error.response is not None:
            return error.response
        error = error.__cause__ or error.__context__
    return None


def _first_line(page: str) -> str:
    """What a page of Jenkins' says, without markup, shortened."""
    text = re.sub(r"(?s)<(script|style|head)\b.*?</\1>|<[^>]+>", " ", page)
    return " ".join(text.split())[:200] or "without a reason"


def _cause(error: BaseException) -> str:
    """The innermost reason, such as ``Connection refused``."""
    text = str(error)
    found = re.search(r"\[Errno -?\d+\] ([^')\"]+)", text) or re.search(
        r": ([^:'\")]+)['\")]*$", text
    )
    return found.group(1) if found else text[:200]
