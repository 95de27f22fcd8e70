"""The queue's names and formats are RQ's own; its address is checked and never shown."""

import zlib

import pytest

from common.errors import ConfigurationError
from common.redis_queue import (
    KINDS,
    PERFORM,
    QUEUE_URL,
    QueueNames,
    called_with,
    connect,
    connect_async,
    failure_fields,
    fingerprint,
    job_fields,
    job_key,
    read_result,
    refuses,
    results_key,
    success_fields,
    worker_lost,
)
from handlers import redis_worker
from tests.support.optional import needed

rq = needed("rq")
results = needed("rq.results")
registries = needed("rq.registry")
intermediate = needed("rq.intermediate_queue")
exceptions = needed("redis.exceptions")

GIVEN = {"audio": "https://host/a.wav", "words": ["é"]}


def as_redis_has_it(fields):
    return {name.encode(): value if isinstance(value, bytes) else value.encode() for name, value in fields.items()}


def entry(parts):
    return {name.encode(): value.encode() for name, value in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost",
        "redis://user:p%40ss@redis.internal:6380/2",
        "rediss://:secret@redis.example.com:6379",
        "redis://[::1]:6379/0",
        "unix:///run/redis.sock",
        "unix://:secret@/run/redis.sock?db=1",
    ],
)
def test_addresses(url):
    assert QUEUE_URL.read({"QUEUE_URL": url}, laptop=False) == url
    connect(url).close()


@pytest.mark.parametrize(
    "url",
    ["localhost:6379", "http://:hunter2@host", "redis://", "redis://:hunter2@host:0", "redis://h:hunter2", "unix://",
     "redis://:hunter2@host/name", "redis://[hunter2", "redis://:hunter2@host?socket_timeout=soon",
     "redis://:hunter2@host?nonsense=1", "rediss://:hunter2@host?ssl_cert_reqs=maybe"],
)  # fmt: skip
@pytest.mark.parametrize("opened", [connect, connect_async])
def test_wrong_addresses_are_refused_without_being_shown(url, opened):
    with pytest.raises(ConfigurationError, match="QUEUE_URL is not valid: expected redis://") as caught:
        opened(QUEUE_URL.read({"QUEUE_URL": url}, laptop=False))
    assert "hunter2" not in str(caught.value)
    assert caught.value.param == "QUEUE_URL"


def test_keys_are_those_of_rq():
    client = connect("redis://localhost")
    for kind in KINDS:
        names = QueueNames(kind)
        queue = rq.Queue(names.queue, connection=client)
        registry = [kind_of(queue=queue).key for kind_of in (registries.StartedJobRegistry,
                    registries.FinishedJobRegistry, registries.FailedJobRegistry)]  # fmt: skip
        assert names.keys("a") == [
            rq.job.Job.key_for("a"),
            queue.key,
            queue.intermediate_queue_key,
            *registry,
            results.Result.get_key("a"),
        ]
        assert names.workers == rq.worker_registration.WORKERS_BY_QUEUE_KEY % names.queue
    assert (job_key("a"), results_key("a")) == ("rq:job:a", "rq:results:a")
    client.close()


def test_rq_reads_our_jobs():
    client = connect("redis://localhost")
    job = rq.job.Job("a", connection=client, serializer="json")
    job.restore(as_redis_has_it(job_fields("diarization", GIVEN, timeout_s=2.5)))
    assert (job.func_name, job.args, job.kwargs, job.timeout) == (PERFORM, [GIVEN], {}, 3)
    assert (job.origin, job.description) == ("parley-diarization", "diarization")
    client.close()


def test_we_read_rqs_jobs():
    client = connect("redis://localhost")
    job = rq.job.Job.create(PERFORM, args=[GIVEN], connection=client, serializer="json")
    assert called_with(job.to_dict()["data"]) == called_with(job.data) == GIVEN
    client.close()


@pytest.mark.parametrize("data", [b"\x80\x04N.", b"[1]", b"3", b'["os.system", null, ["true"], {}]',
                                  b'["handlers.redis_worker.perform", null, [], {}]'])  # fmt: skip
@pytest.mark.parametrize("packed", [zlib.compress, bytes])
def test_no_other_call_is_made(data, packed):
    with pytest.raises(ValueError, match=r"the job (does not call|is not written with)"):
        called_with(packed(data))


def test_the_function_that_jobs_name_runs_nothing():
    assert f"{redis_worker.perform.__module__}.{redis_worker.perform.__name__}" == PERFORM
    with pytest.raises(ConfigurationError, match="parley worker"):
        redis_worker.perform(GIVEN)


def test_results_are_read_by_rq_and_by_us():
    client = connect("redis://localhost")
    good, bad = success_fields({"text": "é"}, worker="w1"), failure_fields(worker_lost(), worker="")
    found = results.Result.restore("a", "1-0", entry(good), connection=client, serializer="json")
    assert (found.return_value, found.worker_name, found.type.name) == ({"text": "é"}, "w1", "SUCCESSFUL")
    lost = results.Result.restore("a", "1-0", entry(bad), connection=client, serializer="json")
    assert (lost.exc_string, lost.type.name) == (worker_lost(), "FAILED")
    assert read_result(entry(good)) == ({"text": "é"}, None)
    assert read_result(entry(bad)) == (None, worker_lost())
    assert read_result({b"type": b"1"}) == (None, None)  # a function that returned None
    assert read_result({b"type": b"2"}) == (None, "")
    client.close()


def test_ids_are_those_of_keys():
    diarization, transcription = map(QueueNames, KINDS)
    assert diarization.job_id("a key") == diarization.job_id("a key") != diarization.job_id("another")
    assert diarization.job_id("a key") != transcription.job_id("a key")
    assert diarization.job_id(None) != diarization.job_id(None)
    assert "a key" not in diarization.job_id("a key")


def test_a_request_made_again_is_the_same_one():
    again = {**GIVEN, "audio": "https://host/a.wav?signed=2", "request_id": "r2"}
    assert fingerprint(GIVEN) == fingerprint(again) != fingerprint({**GIVEN, "words": []})


def test_a_refusal_is_found_behind_other_errors():
    hidden = exceptions.ConnectionError("connecting")
    hidden.__cause__ = exceptions.AuthenticationError("WRONGPASS")
    assert refuses(hidden)
    assert refuses(exceptions.NoPermissionError("NOPERM"))
    assert not refuses(exceptions.ConnectionError("refused"))
