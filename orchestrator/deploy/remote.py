"""An endpoint as RunPod describes it: what Parley reads of it, checked, numbers as numbers.

Source: `Endpoint` of the OpenAPI document of api.runpod.io/v2.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from pydantic.alias_generators import to_camel

from common.errors import ConfigurationError, EndpointError

API = "RunPod's API"
FLASHBOOT_SUFFIX = " -fb"  # the console adds it to the names of endpoints with FlashBoot

Remote = Mapping[str, Any]
EndpointId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=100)]


class _Part(BaseModel):
    """What all parts share: RunPod's spelling, other fields let be."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, coerce_numbers_to_str=True)


class _Gpu(_Part):
    pools: list[str] | None = None
    excluded_types: list[str] | None = None
    count: int | None = None
    allowed_cuda_versions: list[str] | None = None
    min_cuda_version: str | None = None


class _Cpu(_Part):
    id: str
    vcpu_count: int


class _Workers(_Part):
    min: int | None = None
    max: int | None = None
    idle_timeout: int | None = None


class _Scaling(_Part):
    type: str | None = None
    queue_delay: float | None = None
    request_count: int | None = None


class _Endpoint(_Part):
    id: EndpointId
    name: str
    type: str | None = None
    image: str | None = None
    disk: int | None = None
    registry: str | None = None
    env: dict[str, str] | None = None
    gpu: _Gpu | None = None
    cpu: list[_Cpu] | None = None
    workers: _Workers | None = None
    scaling: _Scaling | None = None
    data_center_ids: list[str] | None = None
    network_volumes: list[str] | None = None
    timeout: float | None = None
    flashboot: str | None = None


class _Pagination(_Part):
    has_next_page: bool | None = None
    next_cursor: str | None = None


class _Page(_Part):
    endpoints: list[dict[str, Any]]
    pagination: _Pagination | None = None


def described(answer: Remote, *, name: str = "an endpoint") -> Remote:
    """Return what Parley reads of an endpoint, fields that are null left out; raises EndpointError for another form."""
    try:
        return _Endpoint.model_validate(answer).model_dump(by_alias=True, exclude_none=True)
    except ValidationError as error:
        raise _another_form(error, name) from None


def page_of(answer: Remote) -> tuple[list[dict[str, Any]], str | None]:
    """Return the endpoints of one page as they are told, and where the next page begins, if there is one."""
    try:
        page = _Page.model_validate(answer)
    except ValidationError as error:
        raise _another_form(error, "the list of endpoints") from None
    further = page.pagination
    return page.endpoints, further.next_cursor if further and further.has_next_page else None


def most_workers(answer: Remote) -> int:
    """Return how many workers an endpoint, somebody else's perhaps, may have; 0 where that cannot be read."""
    try:
        return _Workers.model_validate(answer.get("workers")).max or 0
    except ValidationError:
        return 0


def found(name: str, remotes: Sequence[Remote]) -> Remote | None:
    """Return the endpoint of that name, checked; raises ConfigurationError where there are several."""
    same = [described(remote, name=name) for remote in remotes if remote.get("name") in (name, name + FLASHBOOT_SUFFIX)]
    if len(same) > 1:
        ids = ", ".join(remote["id"] for remote in same)
        raise ConfigurationError(
            f"{len(same)} endpoints of this account are called {name} ({ids}); delete or rename all but one of them "
            "in the console"
        )
    return same[0] if same else None


def _another_form(error: ValidationError, what: str) -> EndpointError:
    """Return an error that names the field, by our spelling of it, and nothing of its value."""
    parts = (str(part) for part in error.errors(include_url=False, include_input=False)[0]["loc"])
    field = ".".join(part if part.isidentifier() else "…" for part in parts)
    return EndpointError(
        f"{API} describes {what} in a form that this version of Parley does not know (field {field}); look whether "
        "there is a newer one, and whether `api` in the settings file is right",
        endpoint=API,
    )
