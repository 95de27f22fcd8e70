"""RunPod Hub's hub.json and tests.json as its publishing guide describes them, strict: docs.runpod.io/hub."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Text = Annotated[str, Field(min_length=1)]
Scalar = str | bool | int | float
Versions = list[Annotated[str, Field(pattern=r"^\d+\.\d+$")]]
POOLS = {
    "AMPERE_16", "AMPERE_24", "ADA_24", "ADA_32_PRO", "AMPERE_48", "ADA_48_PRO", "AMPERE_80", "ADA_80_PRO",
}  # fmt: skip


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Option(Part):
    label: Text
    value: Text


class Input(Part):
    name: Text
    type: Literal["string", "huggingface", "number", "boolean"]
    description: Text
    default: Scalar | None = None
    advanced: bool = False
    options: list[Option] | None = None
    min: float | None = None
    max: float | None = None
    true_value: str | None = Field(None, alias="trueValue")
    false_value: str | None = Field(None, alias="falseValue")

    @model_validator(mode="after")
    def _of_its_type(self) -> Self:
        is_number = isinstance(self.default, (int, float)) and not isinstance(self.default, bool)
        fits = {"number": is_number, "boolean": isinstance(self.default, bool)}
        if self.default is not None and not fits.get(self.type, isinstance(self.default, str)):
            raise ValueError(f"{self.name}: the default is no {self.type}")
        if self.options and self.default not in {option.value for option in self.options}:
            raise ValueError(f"{self.name}: the default is none of the options")
        if self.min is not None and self.max is not None and not self.min <= float(self.default or 0) <= self.max:
            raise ValueError(f"{self.name}: the default is outside its bounds")
        return self


class Variable(Part):
    key: Text
    value: str | None = None
    input: Input | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.value is None) == (self.input is None):
            raise ValueError(f"{self.key}: give either value or input")
        return self


class Preset(Part):
    name: Text
    defaults: dict[str, Scalar]


class HubConfig(Part):
    runs_on: Literal["GPU", "CPU"] = Field(alias="runsOn")
    container_disk_in_gb: int = Field(alias="containerDiskInGb", ge=1)
    cpu_flavor: Text | None = Field(None, alias="cpuFlavor")
    gpu_count: int | None = Field(None, alias="gpuCount", ge=1)
    gpu_ids: Text | None = Field(None, alias="gpuIds")
    allowed_cuda_versions: Versions = Field([], alias="allowedCudaVersions")
    env: list[Variable] = []
    presets: list[Preset] = []

    @model_validator(mode="after")
    def _of_its_machine(self) -> Self:
        needed = (self.gpu_ids, self.gpu_count) if self.runs_on == "GPU" else (self.cpu_flavor,)
        if None in needed:
            raise ValueError("what the machine needs is missing")
        pools = {one for one in (self.gpu_ids or "").split(",") if one and not one.startswith("-")}
        if pools - POOLS:
            raise ValueError(f"no GPU pools: {pools - POOLS}")
        return self


class Hub(Part):
    title: Text
    description: Text
    type: Literal["serverless"]
    category: Literal["audio", "embedding", "language", "video", "image"]
    icon_url: Annotated[str, Field(pattern="^https://")] | None = Field(None, alias="iconUrl")
    config: HubConfig


class Case(Part):
    name: Text
    input: dict[str, Any]
    timeout: int | None = Field(None, ge=1)


class CaseVariable(Part):
    key: Text
    value: str


class TestConfig(Part):
    __test__ = False  # no class of tests

    gpu_type_id: Text | None = Field(None, alias="gpuTypeId")
    gpu_count: int | None = Field(None, alias="gpuCount", ge=1)
    cpu_flavor: Text | None = Field(None, alias="cpuFlavor")
    env: list[CaseVariable] = []
    allowed_cuda_versions: Versions = Field([], alias="allowedCudaVersions")


class HubTests(Part):
    tests: Annotated[list[Case], Field(min_length=1)]
    config: TestConfig
