"""The few places where Parley touches the RunPod SDK; every import of it is inside a function, for it is slow."""

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any, NoReturn

from common.cold_start import stage_passed
from common.cpu_probe import named_at_once
from common.errors import ConfigurationError
from common.logs import set_up_logs
from common.metrics import JobMetrics, serve_metrics
from common.settings import ReportSettings

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
EX_CONFIG = 78  # sysexits.h: do not start me again before the configuration is mended
REPORTS = ReportSettings()


def serve(
    handler: Handler,
    *,
    concurrency: int = 1,
    reports: ReportSettings = REPORTS,
    metrics: JobMetrics | None = None,
    on_ready: Callable[[], object] = lambda: None,
) -> None:
    """Enter the RunPod worker loop with at most `concurrency` jobs at once; returns when told to stop.

    `metrics` are served where `reports` has a port for them, and `on_ready` is called right before the loop. A port
    that cannot be had ends the process as any mistake in the configuration does.
    """
    os.environ.setdefault("RUNPOD_LOG_LEVEL", "INFO")  # at DEBUG the SDK logs outputs: transcripts would leak
    set_up_logs(log_format=reports.log_format)
    with ExitStack() as while_serving:
        if metrics is not None and reports.metrics_port:
            try:
                while_serving.enter_context(serve_metrics(metrics, port=reports.metrics_port))
            except ConfigurationError as error:
                exit_misconfigured(error)
        with named_at_once():
            import runpod  # noqa: PLC0415 - reads its environment at import
        stage_passed("sdk")
        on_ready()
        runpod.serverless.start({"handler": handler, "concurrency_modifier": lambda _: concurrency})


async def post_progress(job: dict[str, Any], progress: dict[str, Any]) -> None:
    """Send one progress update of `job` to the platform."""
    from runpod.http_client import AsyncClientSession  # noqa: PLC0415
    from runpod.serverless.modules.rp_http import send_result  # noqa: PLC0415

    async with AsyncClientSession() as session:
        await send_result(session, {"status": "IN_PROGRESS", "output": progress}, job)


def exit_misconfigured(error: ConfigurationError) -> NoReturn:
    """End the process with one clear line, where the platform's log shows it, and exit code 78."""
    sys.stderr.write(f"PARLEY-FATAL {error.message}\n")
    raise SystemExit(EX_CONFIG)
