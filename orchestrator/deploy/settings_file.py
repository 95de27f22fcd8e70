"""The settings file of `parley deploy`: TOML, checked, unknown keys refused by name."""

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from common.errors import ConfigurationError
from common.setting_values import base_url

Kind = Literal["diarization", "transcription", "orchestrator", "combined"]
Count = Annotated[int, Field(ge=0)]
AboveZero = Annotated[int, Field(ge=1)]


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("give one line, without control characters")
    return text


def _plain_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9._-]| (?! )){0,98}", text):
        raise ValueError("a name has letters, digits, . _ - and single spaces, and begins with a letter or digit")
    return text


def _power_of_two(count: int) -> int:
    if count & (count - 1):
        raise ValueError("give a power of two")
    return count


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True), AfterValidator(_one_line)]
Name = Annotated[Text, AfterValidator(_plain_name)]
CudaVersion = Annotated[str, StringConstraints(pattern=r"^\d+\.\d+$")]
EnvValue = str | bool | int | float


class Table(BaseModel):
    """What all tables share: strict types, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class CpuChoice(Table):
    """One kind of CPU worker."""

    id: Text
    vcpus: Annotated[int, Field(ge=2), AfterValidator(_power_of_two)]


class EndpointTable(Table):
    """One endpoint; what is left out stays as RunPod has it."""

    name: Name | None = None
    image: Text | None = None
    gpus: Annotated[list[Text], Field(min_length=1)] | None = None
    excluded_gpus: list[Text] | None = None
    gpu_count: AboveZero | None = None
    min_cuda: CudaVersion | None = None
    cuda_versions: list[CudaVersion] | None = None
    cpus: Annotated[list[CpuChoice], Field(min_length=1)] | None = None
    disk_gb: AboveZero | None = None
    min_workers: Count | None = None
    max_workers: Count | None = None
    idle_timeout_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    execution_timeout_s: AboveZero | None = None
    scaler: Literal["queue_delay", "request_count"] = "queue_delay"
    scaler_value: AboveZero = 4
    flashboot: bool | None = None
    data_centres: list[Text] | None = None
    network_volumes: list[Text] | None = None
    registry: Text | None = None
    model: Text | None = None
    env: dict[str, EnvValue] = {}

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Raise ValueError for what RunPod refuses."""
        if (self.gpus is None) == (self.cpus is None):
            raise ValueError("give either gpus or cpus")
        of_gpus = (self.excluded_gpus, self.gpu_count, self.min_cuda, self.cuda_versions)
        if self.cpus is not None and any(value is not None for value in of_gpus):
            raise ValueError("excluded_gpus, gpu_count, min_cuda and cuda_versions need gpus")
        if self.min_cuda and self.cuda_versions:
            raise ValueError("give either min_cuda or cuda_versions")
        if self.scaler == "request_count" and self.idle_timeout_s is not None:
            raise ValueError('idle_timeout_s needs scaler = "queue_delay"')
        if (self.min_workers or 0) > (self.max_workers if self.max_workers is not None else self.min_workers or 0):
            raise ValueError("min_workers is above max_workers")
        return self


class DeploySettings(Table):
    """The whole file."""

    name: Name = "parley"
    endpoints: Annotated[list[Kind], Field(min_length=1)] = ["diarization", "transcription", "orchestrator"]
    images: Text | None = None
    account_workers: AboveZero | None = None
    api: Annotated[Text, AfterValidator(base_url)] = "https://api.runpod.io/v2"
    diarization: EndpointTable | None = None
    transcription: EndpointTable | None = None
    orchestrator: EndpointTable | None = None
    combined: EndpointTable | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        """Raise ValueError for an endpoint without a table, or named twice."""
        if len(set(self.endpoints)) < len(self.endpoints):
            raise ValueError("endpoints names one twice")
        for kind in self.endpoints:
            if getattr(self, kind) is None:
                raise ValueError(f"endpoints names {kind}, but there is no table [{kind}]")
        return self

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        """Raise ValueError for two endpoints of one name, and for one image that is to be several workers."""
        names = [self.endpoint_name(kind) for kind in self.endpoints]
        if len(set(names)) < len(names):
            raise ValueError(f"two endpoints are called {max(names, key=names.count)}; give each a name of its own")
        alike = [kind for kind in self.endpoints if not self.table(kind).image]
        if self.images and "{kind}" not in self.images and len(alike) > 1:
            raise ValueError(f"images is the same for {', '.join(alike)}; put {{kind}} into it, or say image in each")
        return self

    def table(self, kind: Kind) -> EndpointTable:
        """Return the table of an endpoint that `endpoints` names."""
        found: EndpointTable = getattr(self, kind)
        return found

    def endpoint_name(self, kind: Kind) -> str:
        """Return what the endpoint is called on RunPod, by which it is found again."""
        return self.table(kind).name or f"{self.name}-{kind}"

    def image(self, kind: Kind) -> str | None:
        """Return the endpoint's image: its own, or `images` with its kind put in; None: whatever it has."""
        own = self.table(kind).image
        return own if own or self.images is None else self.images.replace("{kind}", kind)


def load_settings_file(path: Path) -> DeploySettings:
    """Read the settings file; raises ConfigurationError that says what is wrong, and where in it."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
        return DeploySettings.model_validate(content)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path.name}: {error.strerror}; name the file with --file") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path.name} is not TOML: {error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name} is not UTF-8") from None
    except ValidationError as error:
        raise ConfigurationError(f"{path.name}: {_reason(error)}") from None


def _reason(error: ValidationError) -> str:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"{place} is not known"
    reason = first["msg"].removeprefix("Value error, ")
    return f"{place}: {reason}" if place else reason
