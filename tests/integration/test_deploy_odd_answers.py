"""What RunPod's API says in another form than the documented one: read where it can be, else an error that says so."""

import pytest

from common.errors import EndpointError
from tests.support.deploy_calls import deploy, settings_file
from tests.support.fake_runpod_api import KEY, fake_runpod


@pytest.fixture(autouse=True)
def shell(monkeypatch):
    monkeypatch.setenv("RUNPOD_API_KEY", KEY)
    monkeypatch.setenv("HUGGINGFACE_ACCESS_TOKEN", "hf_SECRETTOKEN")


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("workers", [1], "workers"),
        ("workers", {"max": "many"}, "workers.max"),
        ("gpu", "x", "gpu"),
        ("env", ["a"], "env"),
        ("env", {"A\x1b[31m": ["hf_secret"]}, "env.…"),
        ("cpu", [{"id": "cpu3c"}], "cpu.….vcpuCount"),
        ("timeout", "soon", "timeout"),
        ("scaling", 4, "scaling"),
        ("id", "x'; touch pwned; '\n$(id)", "id"),
        ("id", "../../v1/x\x1b[31m", "id"),
    ],
)
async def test_another_form_is_named_by_its_field_and_nothing_is_changed(tmp_path, field, value, place):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        fake.there("parley-diarization")[field] = value
        ran = await deploy(path)
        assert type(ran.error) is EndpointError
        assert "describes parley-diarization in a form that this version of Parley does not know" in ran.error.message
        assert f"(field {place})" in ran.error.message
        assert (ran.out, ran.err) == ("", "")
        assert fake.writes() == ["POST"] * 3


async def test_numbers_in_strings_and_fields_without_a_value_are_read(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        endpoint = fake.there("parley-diarization")
        endpoint |= {"timeout": "3600000", "scaling": {"type": "QUEUE_DELAY", "queueDelay": "4"}, "registry": None,
                     "workers": {"min": "0", "max": "2", "idleTimeout": "30"}}  # fmt: skip
        assert (await deploy(path, "--dry-run")).out.count("unchanged") == 3
        endpoint |= {"env": None, "flashboot": None, "workers": None, "dataCenterIds": None}
        ran = await deploy(path)
        assert ran.error is None
        assert endpoint["env"]["LOG_FORMAT"] == "json"
        assert endpoint["workers"]["max"] == 2


async def test_an_odd_endpoint_that_is_not_ours_does_not_matter(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        fake.endpoints["other"] = {"id": "x y", "name": ["?"], "workers": "?", "env": 7, "gpu": "x"}
        assert (await deploy(path, "--dry-run")).out.count("unchanged") == 3


@pytest.mark.parametrize(
    ("listing", "said"),
    [
        ({"endpoints": None}, "the list of endpoints in a form that this version of Parley does not know (field endpo"),
        ({"endpoints": ["ep1"]}, "(field endpoints.…)"),
        ({"endpoints": [{"name": "without an id"}]}, "lists no endpoints; is `api` in the settings file right?"),
        ({"endpoints": [], "pagination": "x"}, "(field pagination)"),
        ({"endpoints": [], "pagination": [1]}, "(field pagination)"),
        ({"endpoints": [], "pagination": {"hasNextPage": True, "nextCursor": 5}}, "goes on listing endpoints without"),
    ],
)
async def test_a_list_of_something_else_is_told(tmp_path, listing, said):
    async with fake_runpod() as fake:
        fake.listing = listing
        ran = await deploy(settings_file(tmp_path, fake))
        assert said in ran.error.message
        assert not fake.writes()


async def test_control_characters_of_an_endpoint_are_not_printed(tmp_path):
    async with fake_runpod() as fake:
        path = settings_file(tmp_path, fake)
        await deploy(path)
        fake.there("parley-diarization")["image"] = "evil\x1b[31m\nimage"
        shown = (await deploy(path, "--dry-run")).out
        assert "image  evil?[31m?image -> docker.io/ada/parley-diarization:0.1.0" in shown
