"""The store against a model of it, through any sequence of calls by owners, runners and the clock."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from common.errors import JobNotFoundError, QueueFullError
from tests.support.job_stores import LEASE_S, new_job, stage
from tests.support.store_model import StoreModel

OWNERS = st.sampled_from(["anna", "ben"])
RUNNERS = st.sampled_from(["first", "second"])
SOME = st.integers(0, 5)


class StoreMachine(RuleBasedStateMachine):
    @initialize()
    def open(self):
        self.folder = Path(tempfile.mkdtemp(prefix="parley-machine-"))
        self.stack = ExitStack()
        made = self.stack.enter_context(stage("sqlite", self.folder))
        self.store, self.clock = made.store, made.clock
        self.model = StoreModel()
        self.ids = ["never-was"]

    def teardown(self):
        if hasattr(self, "stack"):
            self.stack.close()
            shutil.rmtree(self.folder)

    def some(self, index):
        """Return the id of one of the latest jobs, or of none."""
        return self.ids[-1 - index % len(self.ids)]

    @rule(owner=OWNERS)
    def add(self, owner):
        new = new_job(owner=owner)
        if self.model.may_add(owner):
            self.store.add(new)
            self.model.add(new.id, owner)
            self.ids.append(new.id)
        else:
            with pytest.raises(QueueFullError):
                self.store.add(new)

    @rule(runner=RUNNERS)
    def claim(self, runner):
        found, expected = self.store.claim(runner), self.model.claim(runner, self.clock.now)
        assert (found and found.id) == (expected and expected.id)

    @rule(index=SOME, runner=RUNNERS, progress=st.floats(0, 1))
    def report(self, index, runner, progress):
        job = self.model.held(self.some(index), runner)
        written = self.store.report(self.some(index), runner=runner, step="aligning", progress=progress)
        assert written == (job is not None)
        if job is not None:
            job.progress = max(job.progress, progress)

    @rule(index=SOME, runner=RUNNERS, end=st.sampled_from(["completed", "failed"]))
    def end(self, index, runner, end):
        job_id = self.some(index)
        result, job = f"results/{job_id}-{runner}", self.model.held(job_id, runner)
        again = end == "completed" and job_id in self.model.jobs and self.model.jobs[job_id].result == result
        if end == "completed":
            assert self.store.complete(job_id, runner=runner, result=result) == (job is not None or again)
        else:
            assert self.store.fail(job_id, runner=runner, error={"code": "x"}) == (job is not None)
        if job is not None:
            self.model.end(job, end, result if end == "completed" else None)

    @rule(index=SOME, runner=RUNNERS, wait_s=st.sampled_from([0, 5]), counted=st.booleans())
    def give_back(self, index, runner, wait_s, counted):
        job, not_before = self.model.held(self.some(index), runner), self.clock.now + wait_s
        given = self.store.give_back(self.some(index), runner=runner, not_before=not_before, counted=counted)
        assert given == (job is not None)
        if job is not None:
            self.model.requeue(job, not_before)
            job.attempts -= not counted

    @rule(index=SOME)
    def cancel(self, index):
        job = self.model.jobs.get(self.some(index))
        if job is None:
            with pytest.raises(JobNotFoundError):
                self.store.cancel(self.some(index))
            return
        if job.state == "queued":
            self.model.end(job, "cancelled")
        job.cancel_requested = job.cancel_requested or job.state == "running"
        assert self.store.cancel(job.id).state == job.state

    @rule(index=SOME, runner=RUNNERS)
    def stopped(self, index, runner):
        job = self.model.held(self.some(index), runner)
        asked = job is not None and job.cancel_requested
        assert self.store.cancelled(self.some(index), runner=runner) == asked
        if asked:
            self.model.end(job, "cancelled")

    @rule(index=SOME, forget=st.booleans())
    def erase(self, index, forget):
        if self.model.jobs.pop(self.some(index), None) is None:
            with pytest.raises(JobNotFoundError):
                self.store.erase(self.some(index))
        else:
            self.store.erase(self.some(index))
        if forget:
            self.store.erased(self.some(index))

    @rule(runner=RUNNERS)
    def renew(self, runner):
        mine = [job for job in self.model.in_state("running") if job.runner == runner]
        held = self.store.renew(runner)
        assert held.job_ids == {job.id for job in mine}
        assert held.to_cancel == {job.id for job in mine if job.cancel_requested}
        for job in mine:
            job.leased_until = self.clock.now + LEASE_S

    @rule(seconds=st.sampled_from([1, LEASE_S / 2, LEASE_S + 1]))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule()
    def reclaim(self):
        assert sorted(self.store.reclaim()) == sorted(self.model.reclaim(self.clock.now))

    @invariant()
    def the_same_is_seen(self):
        if not hasattr(self, "model"):
            return
        seen = {job.id: job for owner in ("anna", "ben") for job in self.store.page(owner, limit=1000).jobs}
        assert seen.keys() == self.model.jobs.keys()
        for job_id, expected in self.model.jobs.items():
            found = seen[job_id]
            assert (found.state, found.runner, found.attempts) == (expected.state, expected.runner, expected.attempts)
            assert (found.progress, found.result) == (
                1.0 if expected.state == "completed" else expected.progress,
                expected.result,
            )

    @invariant()
    def places_are_told_of_all_that_waits(self):
        if hasattr(self, "model"):
            places = self.store.positions()
            assert places.keys() == {job.id for job in self.model.in_state("queued")}
            assert sorted(places.values()) == list(range(1, len(places) + 1))


def test_the_store_does_what_its_model_does():
    few = settings(max_examples=8, stateful_step_count=40, suppress_health_check=list(HealthCheck), deadline=None)
    run_state_machine_as_test(StoreMachine, settings=few)
