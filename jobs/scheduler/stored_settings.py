"""The operator's settings as a file among the credentials of Jenkins' folder.

Builds run on agents that know nothing of the shell that provision was called from. Parameters would
show secrets, and could be overridden by whoever may start a build; a credential of the kind "secret
file" is encrypted, hidden, and bound by the Jenkinsfile.
"""

import base64
import hashlib
import json
import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from pydantic import SecretStr

from jobs.scheduler.config import MADE_BY_RETUNE
from jobs.settings import Settings

CREDENTIAL = "retune-settings"
NOT_FOR_BUILDS = ("webhook_secret",)
_HASH = re.compile(r"\(scrypt ([0-9a-f]{16})-([0-9a-f]{32})\)")


def settings_toml(settings: Settings) -> str:
    """The settings that were given, as the operator's file would say them."""
    lines = []
    for name in sorted(settings.model_fields_set):
        value = getattr(settings, name)
        if value is None or name in NOT_FOR_BUILDS:
            continue
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        elif isinstance(value, Path):
            value = str(value)
        # JSON's strings, numbers, booleans and lists of strings are TOML's as well.
        lines.append(f"{name} = {json.dumps(value, ensure_ascii=False)}")
    return "".join(f"{line}\n" for line in lines)


def credential_xml(text: str) -> str:
    """The secret file. Its description carries a salted hash: Jenkins never shows it again."""
    salt = os.urandom(8)
    root = ET.Element("org.jenkinsci.plugins.plaincredentials.impl.FileCredentialsImpl")
    for name, value in {
        "scope": "GLOBAL",
        "id": CREDENTIAL,
        "description": f"The operator's settings. {MADE_BY_RETUNE} "
        f"(scrypt {salt.hex()}-{_hash(text, salt)})",
        "fileName": "settings.toml",
        "secretBytes": base64.b64encode(text.encode()).decode(),
    }.items():
        ET.SubElement(root, name).text = value
    return ET.tostring(root, encoding="unicode")


def holds(description: str, text: str) -> bool:
    """Whether a credential with this description holds ``text``."""
    found = _HASH.search(description)
    return found is not None and found.group(2) == _hash(text, bytes.fromhex(found.group(1)))


def _hash(text: str, salt: bytes) -> str:
    return hashlib.scrypt(text.encode(), salt=salt, n=2**14, r=8, p=1, dklen=16).hex()
