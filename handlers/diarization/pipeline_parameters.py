"""The numbers and names in a pipeline's config, checked before anything is loaded: pyannote takes them unseen."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from common.errors import ConfigurationError

# scipy's, all of which pyannote's agglomerative clustering takes
METHODS = ("average", "centroid", "complete", "median", "single", "ward", "weighted")


def check_parameters(config: Mapping[str, Any], name: str) -> None:
    """Raise ConfigurationError if the config of the pipeline `name` has a parameter that no job could run with.

    Parameters that are not known here, or left out, are for pyannote to judge.
    """
    for label, value, (fits, wanted) in _given(config):
        if not fits(value):
            raise ConfigurationError(f"`{label}` in the config.yaml of {name} must be {wanted}: correct it there")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_share(value: Any) -> bool:  # noqa: ANN401 - whatever is in the file
    return _is_number(value) and 0 < value <= 1


def _is_positive(value: Any) -> bool:  # noqa: ANN401
    return _is_number(value) and value > 0


def _is_not_negative(value: Any) -> bool:  # noqa: ANN401
    return _is_number(value) and value >= 0


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return _is_number(value) and value >= 1 and value == int(value)


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


Rule = tuple[Callable[[Any], bool], str]
MAPPING: Rule = (_is_mapping, "a list of parameters, each with its value")
NOT_NEGATIVE: Rule = (_is_not_negative, "a number of at least 0")
POSITIVE: Rule = (_is_positive, "a number above 0")
STEP: Rule = (_is_share, "a number above 0 and up to 1, the share of a window")
RULES: Mapping[str, Mapping[str, Rule]] = {
    "segmentation": {"min_duration_off": NOT_NEGATIVE, "threshold": NOT_NEGATIVE},
    "clustering": {
        "threshold": NOT_NEGATIVE,
        "method": (METHODS.__contains__, f"one of {', '.join(METHODS)}"),
        "min_cluster_size": (_is_count, "a whole number of at least 1"),
        "Fa": POSITIVE,
        "Fb": POSITIVE,
    },
}


def _given(config: Mapping[str, Any]) -> Iterator[tuple[str, Any, Rule]]:
    """Yield what is set of all that there are rules for."""
    params = config["pipeline"]["params"]
    if "segmentation_step" in params:
        yield "segmentation_step", params["segmentation_step"], STEP
    for part in {"params", "freeze"} & config.keys():  # pyannote takes parameters from both
        yield part, config[part], MAPPING
        for step in RULES.keys() & config[part].keys():
            yield f"{part}.{step}", config[part][step], MAPPING
            for key in RULES[step].keys() & config[part][step].keys():
                yield f"{part}.{step}.{key}", config[part][step][key], RULES[step][key]
