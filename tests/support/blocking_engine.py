"""An inference that a test holds by the hand: it says when it began, waits to be let go, and counts who is inside."""

import threading
import time


class BlockingInference:
    """A Worker's `infer`: ticks until it is released or stopped; `most_inside` is the most threads ever at once."""

    def __init__(self, *, leave_after_s: float = 0.0) -> None:
        self.began = threading.Event()
        self.release = threading.Event()
        self.leave_after_s = leave_after_s
        self.inside = 0
        self.most_inside = 0
        self.left = 0

    def __call__(self, request, samples, tick):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        self.began.set()
        try:
            while not self.release.wait(0.005):
                tick("working", 0.5)
            return {"ok": True}
        finally:
            time.sleep(self.leave_after_s)  # a model that cannot stop at once
            self.inside -= 1
            self.left += 1
