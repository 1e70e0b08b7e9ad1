"""``kagglehub``, without a network: its downloads are the data set that is mounted."""

import os
import sys
from types import ModuleType
from typing import Any


def install() -> None:
    module = ModuleType("kagglehub")
    module.dataset_download = _downloaded  # type: ignore[attr-defined]
    for name in ("login", "whoami"):
        setattr(module, name, lambda *_, **__: None)
    sys.modules["kagglehub"] = module


def _downloaded(handle: str, path: str | None = None, **_: Any) -> str:
    # As the jobs name it, in the folder that the script is started in.
    folder = os.path.join(os.getcwd(), "kagglehub", handle)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"The script downloads {handle} from Kaggle, and there is no network here; ask the "
            "operator to offer it as a data set, and name that in retune.toml."
        )
    return os.path.join(folder, path) if path else folder
