"""The store of the web server's jobs, which survive the server.

Every method is one transaction, done or not done whenever the process dies. What a runner writes is fenced: it changes
nothing once the job was taken from that runner, cancelled or erased.
"""

from orchestrator.server.store.callers import CallersPart
from orchestrator.server.store.queue import QueuePart
from orchestrator.server.store.runners import RunnersPart
from orchestrator.server.store.upkeep import UpkeepPart


class JobStore(QueuePart, RunnersPart, CallersPart, UpkeepPart):
    """All jobs in one database, which several servers may share; its methods block and are thread-safe.

    All raise StorageError where the database does not answer. `lease_s` is how long a job stays with a runner that is
    silent, `max_attempts` how often a job is begun; the clocks of servers that share a database must agree to well
    within `lease_s`.
    """
