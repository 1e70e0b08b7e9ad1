"""The environment that the operator's settings name."""

from jobs.environment.base import Environment
from jobs.settings import Settings


def select_environment(settings: Settings) -> Environment:
    if settings.environment == "docker":
        from jobs.environment.docker import DockerEnvironment

        return DockerEnvironment(
            settings.home,
            image=settings.image,
            gpus=settings.gpus,
            host_home=settings.engine_home,
        )
    from jobs.environment.process import ProcessEnvironment

    return ProcessEnvironment(settings.home)
