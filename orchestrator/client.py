"""Parley from Python, async and not."""

from orchestrator.batch import Outcome
from orchestrator.client_async import AsyncParley, Overrides
from orchestrator.client_blocking import BlockingJob, Parley
from orchestrator.client_job import TranscriptionJob

__all__ = ["AsyncParley", "BlockingJob", "Outcome", "Overrides", "Parley", "TranscriptionJob"]
