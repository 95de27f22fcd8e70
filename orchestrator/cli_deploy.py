"""`parley deploy`: the endpoints of a settings file, made or brought up to date on RunPod."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import aiohttp

from common.errors import ParleyError
from common.settings import RUNPOD_API_KEY
from orchestrator.cli_output import EXIT_OK
from orchestrator.deploy.api import RunPodApi
from orchestrator.deploy.carry_out import Deployment, made_plan
from orchestrator.deploy.plan import Wanted, wanted_endpoints
from orchestrator.deploy.remote import Remote
from orchestrator.deploy.settings_file import DeploySettings, load_settings_file
from orchestrator.deploy.show import id_lines, plan_lines, warning_lines

WITHOUT_KEY = "RUNPOD_API_KEY is not set: this is the plan for an account without endpoints"


async def run_deploy(arguments: argparse.Namespace) -> int:
    """Show the plan, and carry it out unless it is a dry run."""
    settings = load_settings_file(arguments.file)
    wanted = wanted_endpoints(settings, os.environ)
    api_key = RUNPOD_API_KEY.read(os.environ, laptop=False)
    if arguments.dry_run and not api_key:
        print(f"{WITHOUT_KEY}\n")
        _show(settings, wanted, [], file=sys.stdout)
        return EXIT_OK
    hidden = {one.value for each in wanted for one in each.variables.values() if one.hidden and one.value}
    async with aiohttp.ClientSession(trust_env=True) as session:
        api = RunPodApi(session, url=settings.api, api_key=api_key, hidden=hidden)
        remotes = await api.endpoints()
        _show(settings, wanted, remotes, file=sys.stdout if arguments.dry_run else sys.stderr)
        if not arguments.dry_run:
            await _deploy(wanted, remotes, api)
    return EXIT_OK


def _show(settings: DeploySettings, wanted: Sequence[Wanted], remotes: Sequence[Remote], *, file: TextIO) -> None:
    steps = made_plan(wanted, remotes)
    for line in plan_lines(steps):
        print(line, file=file)
    warnings = list(warning_lines(settings, steps, remotes))
    if warnings:
        print(file=file)
    for line in warnings:
        print(f"warning: {line}", file=file)


async def _deploy(wanted: Sequence[Wanted], remotes: Sequence[Remote], api: RunPodApi) -> None:
    deployment = Deployment(wanted, remotes, api, tell=_tell)
    try:
        await deployment.run()
    except (ParleyError, asyncio.CancelledError):
        _tell(f"{deployment.done} of {len(wanted)} done; the same command goes on from there")
        raise
    finally:  # also of a part: they are what the caller has
        for line in id_lines(deployment.ids):
            print(line, flush=True)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
