from dataclasses import dataclass, field

import pytest

from handlers.transcription.memory import (
    MAX_WINDOWS,
    MIN_SHARE,
    USABLE,
    Cost,
    DecoderMemory,
    measured_memory,
    plain_memory,
)
from tests.support.fake_decoder import OutOfMemoryError

MB = 1_000_000
GB = 1000 * MB


@dataclass
class FakeCuda:
    """A GPU of `total` bytes on which decoding L seconds takes what `peak` says; `weights` stay allocated."""

    peak: object
    total: int = 24 * GB
    weights: int = 3 * GB
    cached: int = 0
    others: int = 0
    highest: int = 0
    emptied: int = 0
    decoded_s: list[float] = field(default_factory=list)

    def decode(self, samples):
        seconds = len(samples) / 16_000
        self.decoded_s.append(seconds)
        if self.weights + self.peak(seconds) > self.total - self.others:
            raise OutOfMemoryError("CUDA out of memory.")
        self.highest = max(self.highest, int(self.weights + self.peak(seconds)))

    def memory_allocated(self):
        return self.weights

    def memory_reserved(self):
        return self.weights + self.cached

    def max_memory_allocated(self):
        return self.highest

    def reset_peak_memory_stats(self):
        self.highest = self.weights

    def empty_cache(self):
        self.emptied += 1

    def mem_get_info(self):
        return self.total - self.weights - self.cached - self.others, self.total


def convolutions_then_attention(seconds):
    return max(5 * MB * seconds, 2 * MB * seconds + 0.03 * MB * seconds**2)


def measured(cuda, longest_s):
    return measured_memory(cuda.decode, longest_s=longest_s, cuda=cuda)


def test_a_gpu_is_measured_with_a_short_and_the_longest_window():
    cuda = FakeCuda(peak=convolutions_then_attention)
    memory = measured(cuda, 300.0)
    assert cuda.decoded_s == [10.0, 10.0, 300.0]
    assert memory.capacity == pytest.approx(USABLE * 21 * GB)
    fitting = int(USABLE * 21 * GB / convolutions_then_attention(300.0))
    assert memory.fits(fitting, longest_s=300.0)
    assert not memory.fits(fitting + 1, longest_s=300.0)


@pytest.mark.parametrize("seconds", [0.5, 5, 10, 40, 100, 150, 299, 300])
def test_no_window_up_to_the_longest_is_taken_for_cheaper_than_it_is(seconds):
    memory = measured(FakeCuda(peak=convolutions_then_attention), 300.0)
    assert memory.cost.of(seconds) >= 0.999 * convolutions_then_attention(seconds)
    assert memory.cost.of(seconds) <= 3 * convolutions_then_attention(seconds)


def test_memory_that_does_not_grow_with_the_window_is_no_reason_for_a_negative_cost():
    cost = measured(FakeCuda(peak=lambda seconds: 100 * MB), 40.0).cost
    assert cost == Cost(per_s=10.0 * MB, per_s2=0.0)


def test_a_longest_window_that_does_not_fit_is_halved_until_it_does():
    cuda = FakeCuda(peak=lambda seconds: 1 * GB * seconds, total=60 * GB)
    memory = measured(cuda, 160.0)
    assert cuda.decoded_s == [10.0, 10.0, 160.0, 80.0, 40.0]
    assert cuda.emptied == 2
    assert memory.cost == Cost(per_s=1 * GB, per_s2=0.0)


def test_when_only_seconds_fit_they_are_all_that_is_known():
    cuda = FakeCuda(peak=lambda seconds: 1 * GB * seconds, total=14 * GB)
    assert measured(cuda, 15.0).cost == Cost(per_s=1 * GB, per_s2=0.0)
    assert cuda.decoded_s == [10.0, 10.0, 15.0, 10.0]


def test_a_gpu_on_which_nothing_fits_is_left_to_the_caller():
    with pytest.raises(OutOfMemoryError):
        measured(FakeCuda(peak=lambda seconds: 30 * GB), 40.0)


def test_a_gpu_that_fails_for_another_reason_is_not_tried_with_less():
    cuda = FakeCuda(peak=lambda seconds: 100 * MB)

    def decode(samples):
        cuda.decode(samples)
        if len(samples) > 160_000:
            raise RuntimeError("the kernel does not exist")

    with pytest.raises(RuntimeError, match="the kernel does not exist"):
        measured_memory(decode, longest_s=40.0, cuda=cuda)
    assert cuda.decoded_s == [10.0, 10.0, 40.0]


def test_every_start_looks_at_what_others_take_and_counts_what_torch_keeps_without_need():
    cuda = FakeCuda(peak=convolutions_then_attention)
    memory = measured(cuda, 40.0)
    cuda.others, cuda.cached = 11 * GB, 4 * GB
    memory.start()
    assert memory.capacity == pytest.approx(USABLE * 10 * GB)


def test_a_plain_bound_counts_seconds():
    memory = plain_memory(batch_s=60.0)
    assert memory.fits(2, longest_s=30.0)
    assert not memory.fits(2, longest_s=30.1)


def test_so_many_windows_are_enough():
    memory = DecoderMemory(Cost(per_s=1.0), lambda: 1e12)
    assert memory.fits(MAX_WINDOWS, longest_s=1.0)
    assert not memory.fits(MAX_WINDOWS + 1, longest_s=1.0)


def test_what_did_not_fit_is_halved_for_the_next_call_and_grows_back_with_every_clean_one():
    memory = plain_memory(batch_s=64.0)
    memory.start()
    memory.shrink(1, longest_s=100.0)
    assert memory.capacity == 32.0
    found = []
    for _ in range(6):
        memory.start()
        found.append(memory.capacity)
    assert found == [32.0, 40.0, 50.0, 62.5, 64.0, 64.0]


def test_a_batch_smaller_than_the_capacity_is_halved_itself():
    memory = plain_memory(batch_s=64.0)
    memory.shrink(2, longest_s=10.0)
    assert memory.capacity == 10.0


def test_however_bad_it_was_the_next_call_begins_with_an_eighth():
    memory = plain_memory(batch_s=64.0)
    memory.shrink(1, longest_s=0.01)
    memory.start()
    assert memory.capacity == 64.0 * MIN_SHARE == 8.0


def test_no_memory_at_all_can_still_be_shrunk():
    memory = DecoderMemory(Cost(per_s=1.0), lambda: 0.0)
    memory.shrink(1, longest_s=10.0)
    memory.start()
    assert memory.capacity == 0.0
    assert not memory.fits(2, longest_s=1.0)
