"""Networks built without first values for their parameters, which stored weights replace anyway."""

from typing import Any

from torch.nn import Parameter
from torch.overrides import TorchFunctionMode

# By which modules fill their new parameters; one that is not listed costs time and changes nothing.
FILLS = frozenset(("uniform_", "normal_", "zero_", "fill_", "constant_", "kaiming_uniform_", "kaiming_normal_"))


class Unfilled(TorchFunctionMode):  # type: ignore[misc]  # torch has no types here
    """A context in which the modules that this thread builds leave their parameters as allocated.

    Parameters on the meta device would do as well, but torch imports 900 modules for it, and NeMo makes positional
    encodings on the parameters' device.
    """

    def __torch_function__(self, function: Any, _types: object, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401 - any function
        """Call `function`, unless it fills a parameter."""
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")
        if isinstance(target, Parameter) and function.__name__ in FILLS:
            return target
        return function(*args, **kwargs)
