"""Where pip and uv get their packages on this machine: what a clean root needs to get them there, too."""

import os
import re
from pathlib import Path

# which index, and how it is reached; not what else can be set for pip and uv
_VARIABLES = re.compile(
    r"PIP_(CERT|CLIENT_CERT|CONFIG_FILE|DEFAULT_TIMEOUT|EXTRA_INDEX_URL|FIND_LINKS|INDEX_URL|NO_INDEX|PROXY|RETRIES|TRUSTED_HOST)"
    r"|UV_(CONFIG_FILE|DEFAULT_INDEX|EXTRA_INDEX_URL|FIND_LINKS|HTTP_\w+|INDEX\w*|INSECURE_HOST|NATIVE_TLS|NO_INDEX|SYSTEM_CERTS)"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY",
    re.IGNORECASE,
)
_CONFIGURATIONS = ("/etc/pip.conf", "/etc/uv/uv.toml")
_CONFIGURATIONS_AT_HOME = (".config/pip/pip.conf", ".pip/pip.conf", ".config/uv/uv.toml", ".netrc")
_CERTIFICATES = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")
_PATH = re.compile(r"(?<![\w/])/[^\s\"',;\]]+|(?<=file://)/[^\s\"',;\]]+")


def index_env() -> dict[str, str]:
    """Return the variables that say which index is used and how it is reached."""
    return {name: value for name, value in os.environ.items() if _VARIABLES.fullmatch(name)}


def index_paths(home: str) -> dict[Path, str]:
    """Return what of this machine's files a user whose home is `home` needs elsewhere, and where."""
    configured = {Path(name): name for name in _CONFIGURATIONS}
    configured |= {Path.home() / name: f"{home}/{name}" for name in _CONFIGURATIONS_AT_HOME}
    configured = {path: target for path, target in configured.items() if path.is_file()}
    words = " ".join([*index_env().values(), *(path.read_text(errors="replace") for path in configured)])
    named = {_whole_index(Path(found)) for found in _PATH.findall(words)}
    paths = {Path(name): name for name in _CERTIFICATES} | {path: str(path) for path in named} | configured
    return {path: target for path, target in paths.items() if path.exists()}


def _whole_index(path: Path) -> Path:
    """Return the folder of an index with its packages, which lie beside its pages."""
    return path.parent if path.name == "simple" else path
