"""What slow work calls between its steps, to end when it is wanted no more."""

from collections.abc import Callable

Check = Callable[[], None]  # raises what the work is to end with when it is wanted no more


def unchecked() -> None:
    """Let work go on that nobody breaks off."""
