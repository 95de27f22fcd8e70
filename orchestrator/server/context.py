"""What every route of the web server works with."""

from dataclasses import dataclass

from common.settings import Settings
from orchestrator.server.audio_links import AudioLinks
from orchestrator.server.runner import Runner
from orchestrator.server.settings import ServerSettings
from orchestrator.server.store.files import FileStore
from orchestrator.server.store.job_store import JobStore
from orchestrator.server.store.keys import KeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """The parts of one running server."""

    settings: Settings
    server: ServerSettings
    store: JobStore
    keys: KeyStore
    files: FileStore
    runner: Runner
    audio_links: AudioLinks
