from pathlib import Path

import pytest

from common.errors import ConfigurationError
from common.settings import DiarizationSettings
from handlers.diarization.engines import find_engine


def settings(model):
    return DiarizationSettings(model=model, device="cpu", token="", model_store=Path("/nowhere"))


@pytest.mark.parametrize(
    ("model", "finder"),
    [
        ("foo/bar", "handlers.diarization.pipelines.find_model"),
        ("foo/sortformer", "handlers.diarization.sortformer_models.find_model"),
    ],
)
def test_files_that_may_not_be_read_are_the_configurations_fault(monkeypatch, model, finder):
    def deny(*_, **__):
        raise PermissionError(13, "Permission denied", "/secret/path")

    monkeypatch.setattr(finder, deny)
    with pytest.raises(ConfigurationError) as refused:
        find_engine(settings(model))
    assert str(refused.value) == (
        "the diarization model's files cannot be read (Permission denied): let the worker's user read their folder"
    )


@pytest.mark.parametrize("model", ["/srv/models/sortformer", "not/a/sortformer"])
def test_a_sortformer_that_is_nothing_is_refused_without_its_path(model):
    with pytest.raises(ConfigurationError, match=r"^DIARIZATION_MODEL is neither a \.nemo file, nor a folder"):
        find_engine(settings(model))
