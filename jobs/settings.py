"""Settings of two kinds: what the operator says, and what the pushed repository may say.

The operator's come from ``RETUNE_*`` environment variables or from a TOML file; they alone name
host paths, images, hosts and secrets. The pusher's come from ``retune.toml`` in the repository.
"""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from jobs.errors import SettingsError

REPOSITORY_FILE = "retune.toml"
PREFIX = "RETUNE_"


def _split(value: object) -> object:
    """A list in an environment variable is separated by commas."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"[^@\s<>,;\"']+@[^@\s<>,;\"']+", value):
        raise ValueError(f"{value!r} is not a mail address")
    return value


def _folder(value: Path) -> Path:
    return value.expanduser().absolute()


Address = Annotated[str, AfterValidator(_address)]
Folder = Annotated[Path, AfterValidator(_folder)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class Settings(BaseSettings):
    """What the operator says. Every field is ``RETUNE_<NAME>`` in the environment."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", env_ignore_empty=True)

    home: Folder = Field(
        Path("~/.retune"), description="folder of studies, mirrors, caches and the outbox"
    )
    repository: str | None = Field(
        None, description="URL or path of the git remote that model scripts are pushed to"
    )
    storage: SecretStr | None = Field(
        None,
        description="Optuna storage URL, such as postgresql+psycopg://user:password@host/database; "
        "SQLite in the home folder unless set",
    )

    scheduler: Literal["inline", "jenkins"] = Field("inline", description="who runs the jobs")
    environment: Literal["process", "docker"] = Field("process", description="where trials run")

    datasets: Folder | None = Field(
        None, description="folder whose subfolders are the data sets offered by name"
    )
    dataset: str | None = Field(
        None, description="name of the data set for repositories that name none"
    )
    keras_data: Folder | None = Field(
        None, description="folder of Keras' own data files (mnist.npz …) for keras.datasets"
    )

    target: Fraction = Field(0.8, description="validation accuracy that ends a study, 0 to 1")
    trials: int = Field(30, ge=1, description="most trials of a study")
    hours: float = Field(12.0, gt=0, description="longest wall time of a study, in hours")
    trial_hours: float = Field(2.0, gt=0, description="longest wall time of a trial, in hours")
    on_push: Literal["stop", "queue"] = Field(
        "stop",
        description="a push to a branch whose study still runs: stop the old study, or queue "
        "the new one behind it",
    )

    watch_seconds: float = Field(
        60.0,
        gt=0,
        description="pause between two rounds of watch beside the inline loop, in seconds",
    )

    image: str = Field("retune-trainer", description="image of the trainer")
    gpus: str | None = Field(
        None, description="GPUs for a container: all, or device ids separated by commas"
    )
    memory: ByteSize = Field(
        ByteSize(4 * 1024**3), description="memory of an environment, in bytes or as 4GiB"
    )
    cpus: float = Field(2.0, gt=0, description="processor share of an environment, in cores")
    processes: int = Field(512, ge=16, description="most processes and threads in a container")
    shared_memory: ByteSize = Field(
        ByteSize(512 * 1024**2), description="shared memory of a container, in bytes or as 512MiB"
    )
    engine_home: Folder | None = Field(
        None,
        description="the home folder as the Docker Engine sees it, where the jobs run in a "
        "container themselves",
    )

    smtp_host: str | None = Field(
        None, description="mail server; without one mails are written to <home>/outbox"
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="port of the mail server")
    smtp_security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection to the mail server is protected"
    )
    smtp_user: str | None = Field(None, description="login at the mail server")
    smtp_password: SecretStr | None = Field(None, description="password at the mail server")
    smtp_timeout: float = Field(20.0, gt=0, description="patience with the mail server, in seconds")
    mail_from: Address = Field("retune@localhost", description="sender of the mails")
    mail_to: Annotated[list[Address], NoDecode] = Field(
        default_factory=list, description="recipients of every mail, separated by commas"
    )
    mail_domains: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="domains in which retune.toml may name recipients, separated by commas",
    )

    jenkins_url: str | None = Field(
        # Jenkins tells its builds where it is.
        default_factory=lambda: os.environ.get("JENKINS_URL") or None,
        description="address of the Jenkins controller; in a build the one that Jenkins gives",
    )
    jenkins_user: str | None = Field(None, description="Jenkins user for the API")
    jenkins_token: SecretStr | None = Field(None, description="API token of that user")
    jenkins_folder: str = Field("retune", description="Jenkins folder of the five jobs")
    jenkins_label: str = Field("", description="label of the agents; empty: any")
    jenkins_parallel: bool = Field(
        False, description="whether Jenkins may run several trainings at the same time"
    )
    jenkins_settings: bool = Field(
        True,
        description="whether provision stores the settings that it finds in the folder's "
        "credentials, from which the builds take them",
    )
    jenkins_scm_url: str | None = Field(
        None, description="git URL from which Jenkins takes Retune itself (Jenkinsfile and jobs)"
    )
    jenkins_scm_branch: str = Field("main", description="branch of that repository")
    jenkins_scm_credentials: str | None = Field(
        None, description="id of the Jenkins credentials for that repository"
    )
    webhook_secret: SecretStr | None = Field(
        None, description="secret of the webhooks of GitHub, GitLab or Gitea"
    )
    public_url: str | None = Field(
        None, description="address under which readers of a mail reach the study pages"
    )

    _normalise_lists = field_validator("mail_to", "mail_domains", mode="before")(_split)

    @model_validator(mode="after")
    def _jenkins_is_complete(self) -> Self:
        if self.scheduler == "jenkins":
            missing = [
                f"{PREFIX}{name.upper()}"
                for name in ("jenkins_url", "jenkins_user", "jenkins_token")
                if getattr(self, name) is None
            ]
            if missing:
                raise ValueError(f"the Jenkins scheduler needs {' and '.join(missing)}")
        return self

    @field_validator("jenkins_folder")
    @classmethod
    def _folder_is_a_full_name(cls, value: str) -> str:
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*", value):
            raise ValueError("takes names of letters, digits, '.', '_' and '-' joined by '/'")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls, _file()))

    @property
    def storage_url(self) -> str:
        if self.storage is not None:
            return self.storage.get_secret_value()
        return f"sqlite:///{self.home / 'retune.sqlite3'}"

    @property
    def studies(self) -> Path:
        return self.home / "studies"

    @property
    def outbox(self) -> Path:
        return self.home / "outbox"


def _file() -> Path:
    """The operator's file: ``RETUNE_SETTINGS``, or ``settings.toml`` in the home folder."""
    named = os.environ.get("RETUNE_SETTINGS")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("RETUNE_HOME") or "~/.retune"
    return Path(home).expanduser() / "settings.toml"


def load(**overrides: Any) -> Settings:
    """The operator's settings; ``overrides`` come from a command line.

    Raises SettingsError with one sentence for each value that does not hold.
    """
    file = _file()
    try:
        text = file.read_bytes() if file.exists() else b""
        unknown = set(tomllib.loads(text.decode())) - set(Settings.model_fields)
    except (OSError, ValueError) as error:
        raise SettingsError(f"{file} cannot be read: {error}; correct or remove it.") from error
    if unknown:
        raise SettingsError(
            f"{file} sets {', '.join(sorted(unknown))}, which is not a setting; "
            "`python -m jobs settings` lists them."
        )
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(
            " ".join(_sentence(each, _origin(str(each["loc"][0]), file)) for each in error.errors())
            if all(each["loc"] for each in error.errors())
            else " ".join(_plain(each) for each in error.errors())
        ) from error


def _plain(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return message[:1].upper() + message[1:] + "."


def _sentence(error: ErrorDetails, name: str) -> str:
    value = error["input"]
    shown = "" if isinstance(value, SecretStr) else f" is {value!r}:"
    return f"{name}{shown} {error['msg'].removeprefix('Value error, ')[:200]}."


def _origin(field: str, file: Path) -> str:
    variable = f"{PREFIX}{field.upper()}"
    if os.environ.get(variable):
        return variable
    return f"{field} in {file}"


@dataclass(frozen=True)
class Provenance:
    """One line of ``python -m jobs settings``: secrets are masked in ``shown``."""

    variable: str
    shown: str
    origin: str
    description: str


def provenance(settings: Settings) -> Iterator[Provenance]:
    """What holds and where it came from."""
    file = _file()
    in_file = tomllib.loads(file.read_text()) if file.exists() else {}
    for name, info in Settings.model_fields.items():
        if info.exclude:
            continue
        variable = f"{PREFIX}{name.upper()}"
        value = getattr(settings, name)
        if os.environ.get(variable):
            origin = "environment"
        elif name in in_file:
            origin = str(file)
        elif name in settings.model_fields_set:
            origin = "command line"
        else:
            origin = "default"
        yield Provenance(variable, _shown(value), origin, info.description or "")


def _shown(value: object) -> str:
    if value is None or value == [] or value == "":
        return "-"
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, ByteSize):
        return value.human_readable()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value)


def _inside(value: str) -> str:
    path = PurePosixPath(value)
    if path.is_absolute() or ".." in path.parts or "\\" in value or "\0" in value:
        raise ValueError("must be a path inside the repository, relative to its root")
    return value


Inside = Annotated[str, AfterValidator(_inside)]


class RepositorySettings(BaseModel):
    """What the pusher says in ``retune.toml``. It names no host path, image, host or secret."""

    model_config = ConfigDict(extra="forbid")

    script: Inside | None = Field(None, description="the model script; found unless set")
    dataset: str | None = Field(
        None,
        description="name of a data set that the operator offers, or ./folder of the repository",
    )
    target: Fraction | None = Field(None, description="validation accuracy to reach, 0 to 1")
    trials: int | None = Field(None, ge=1, description="most trials, within the operator's")
    hours: float | None = Field(None, gt=0, description="most hours, within the operator's")
    recipients: list[Address] = Field(
        default_factory=list, description="further recipients, in the operator's domains"
    )
    hold: list[str] = Field(
        default_factory=list, description="hyperparameters to leave as they are"
    )
    allow: list[str] = Field(
        default_factory=list,
        description="kept for input_shape, which does nothing yet: image sizes are always held",
    )
    inherit: bool = Field(True, description="whether a trial starts from its parent's weights")
    confirm: bool = Field(False, description="whether the winner is trained again from scratch")
    arguments: list[str] = Field(default_factory=list, description="command line of the script")

    @field_validator("dataset")
    @classmethod
    def _dataset_is_a_name_or_inside(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.startswith("./"):
            return "./" + _inside(value[2:])
        if not re.fullmatch(r"[\w.-]+", value) or value in (".", ".."):
            raise ValueError("takes the name of an offered data set, or ./folder of the repository")
        return value


def read_repository_settings(root: Path) -> RepositorySettings:
    """``retune.toml`` of a checkout, or the defaults where there is none.

    Raises SettingsError naming the key and what it takes.
    """
    file = root / REPOSITORY_FILE
    if file.is_symlink():
        raise SettingsError(f"{REPOSITORY_FILE} is a symbolic link; commit a plain file.")
    if not file.is_file():
        return RepositorySettings.model_validate({})
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{REPOSITORY_FILE} cannot be read: {error}; correct it.") from error
    try:
        return RepositorySettings.model_validate(content)
    except ValidationError as error:
        known = ", ".join(RepositorySettings.model_fields)
        sentences = [
            f"{REPOSITORY_FILE} sets {each['loc'][0]}, which it may not; it takes {known}."
            if each["type"] == "extra_forbidden"
            else _sentence(each, f"{REPOSITORY_FILE}: {'.'.join(map(str, each['loc']))}")
            for each in error.errors()
        ]
        raise SettingsError(" ".join(sentences)) from error
