"""Limits and times of the local platform; the defaults are RunPod's where RunPod has one."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSettings:
    """Where the platform listens and what it allows; `port` 0 takes a free one, `api_key` None asks callers for none.

    Source of the defaults: docs.runpod.io, serverless "operation reference" and "send requests".
    """

    host: str = "127.0.0.1"
    port: int = 0
    api_key: str | None = None
    # sizes
    run_max_bytes: int = 10 * MIB
    runsync_max_bytes: int = 20 * MIB
    result_max_bytes: int = 20 * MIB
    max_jobs: int = 10_000
    stored_max_bytes: int = 2048 * MIB
    # what callers may ask for
    runsync_wait_s: float = 90.0
    runsync_wait_bounds_s: tuple[float, float] = (1.0, 300.0)
    status_wait_bounds_s: tuple[float, float] = (0.0, 30.0)
    execution_timeout_s: float = 600.0
    execution_timeout_bounds_s: tuple[float, float] = (5.0, 7 * 86400.0)
    ttl_s: float = 86400.0
    ttl_bounds_s: tuple[float, float] = (10.0, 7 * 86400.0)
    run_kept_s: float = 1800.0
    runsync_kept_s: float = 60.0
    body_timeout_s: float = 120.0
    # workers
    poll_hold_s: float = 20.0
    ping_interval_s: int = 10
    lost_after_s: float = 60.0
    loss_retries: int = 1
    stop_settle_s: float = 0.3
    stop_deadline_s: float = 60.0
    sweep_interval_s: float = 0.2
    # webhooks
    webhook_pauses_s: tuple[float, ...] = (10.0, 10.0)
    webhook_timeout_s: float = 10.0
