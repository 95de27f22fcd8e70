import threading

import pytest
import torch

from common.errors import JobCancelledError
from handlers.diarization.compute import Compute, one_core

DEVICES = pytest.mark.parametrize("device", ["cpu", "cuda"])  # cuda: what runs elsewhere is for the task to say


def ignore(share):
    pass


@DEVICES
def test_results_are_in_the_order_of_the_tasks(device):
    shares = []
    assert Compute(device).map(lambda task: task * 2, range(50), shares.append) == [task * 2 for task in range(50)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)


@DEVICES
def test_no_tasks_have_no_results(device):
    assert Compute(device).map(str, [], ignore) == []


def test_each_thread_has_one_core_and_others_have_theirs():
    before = torch.get_num_threads()
    compute = Compute("cpu")
    assert set(compute.map(lambda _: torch.get_num_threads(), range(20), ignore)) == {1}
    assert torch.get_num_threads() == before
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before]


@DEVICES
def test_a_task_that_fails_ends_all(device):
    def run(task):
        if task == 3:
            raise ValueError("three")
        return task

    with pytest.raises(ValueError, match="three"):
        Compute(device).map(run, range(10), ignore)


@DEVICES
def test_a_stopped_job_begins_no_further_task_and_leaves_none_running(device):
    begun, ended, stopped = [], [], threading.Event()

    def run(task):
        begun.append(task)
        if device == "cpu":
            assert stopped.wait(60)
        ended.append(task)
        return str(task)

    calls = []

    def stop(share):
        calls.append(share)
        if len(calls) > 1:
            stopped.set()
            raise JobCancelledError("stopped")

    compute = Compute(device)
    with pytest.raises(JobCancelledError):
        compute.map(run, range(50), stop)
    assert sorted(begun) == sorted(ended)
    assert 1 <= len(begun) <= 2 * torch.get_num_threads()
    assert compute.map(str, range(3), ignore) == ["0", "1", "2"]


def test_loading_takes_one_core_and_gives_the_others_back():
    before = torch.get_num_threads()

    @one_core()
    def damaged():
        assert torch.get_num_threads() == 1
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        damaged()
    assert torch.get_num_threads() == before
