import pytest

from common.errors import ConfigurationError
from orchestrator.server.http.rate_limits import RateLimits
from tests.support.server_app import running_server, settings_for


def test_one_key_may_ask_so_often_and_another_is_not_kept_waiting(tmp_path):
    with running_server(tmp_path, RATE_LIMIT="3/hour") as server:
        ann, bob = server.client(server.add_key("Ann")), server.client(server.add_key("Bob"))
        left = [ann.get("/api/jobs").headers["RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = ann.get("/api/jobs")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_requests")
        assert refused.json()["error"]["retryable"] is True
        assert 3500 < int(refused.headers["Retry-After"]) <= 3600
        assert bob.get("/api/jobs").headers["RateLimit-Limit"] == "3"


def test_new_jobs_have_a_limit_of_their_own(tmp_path):
    with running_server(tmp_path, UPLOAD_RATE_LIMIT="2/hour") as server:
        client = server.client()
        for _ in range(2):
            assert client.post("/api/upload", files={"file": ("a.wav", b"RIFF")}).status_code == 202
        for path in ("/api/upload", "/api/diarize", "/v1/audio/transcriptions"):
            assert client.post(path, files={"file": ("a.wav", b"RIFF")}).status_code == 429, path
        assert client.get("/api/jobs").status_code == 200


def test_many_wrong_keys_of_one_address_are_put_off_and_right_ones_are_not(tmp_path):
    with running_server(tmp_path) as server:
        key = server.add_key("Ann")
        guessing = server.client()
        tried = [guessing.get("/api/jobs", headers={"Authorization": f"Bearer guess{n}"}) for n in range(10)]
        tried += [guessing.post("/api/session", json={"key": f"guess{n}"}) for n in range(10)]
        assert {answer.status_code for answer in tried} == {401}
        for answer in (guessing.get("/api/jobs", headers={"Authorization": "Bearer guess"}),
                       guessing.post("/api/session", json={"key": "guess"})):  # fmt: skip
            assert answer.status_code == 429
            assert 1 <= int(answer.headers["Retry-After"]) <= 60
        assert guessing.get("/api/jobs", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_callers_without_a_key_are_counted_by_their_address(tmp_path):
    with running_server(tmp_path, RATE_LIMIT="2/hour", TRUSTED_PROXIES="127.0.0.1") as server:
        server.add_key("Ann")
        statuses = [server.client().get("/api/jobs").status_code for _ in range(3)]
        assert statuses == [401, 401, 429]
        elsewhere = server.client(**{"X-Forwarded-For": "2001:db8::1"})
        neighbour = server.client(**{"X-Forwarded-For": "2001:db8::2"})
        assert [client.get("/api/jobs").status_code for client in (elsewhere, neighbour, neighbour)] == [401, 401, 429]


def test_what_a_caller_says_of_its_own_address_does_not_count(tmp_path):
    with running_server(tmp_path, RATE_LIMIT="2/hour", TRUSTED_PROXIES="10.0.0.1") as server:
        server.add_key("Ann")
        callers = [server.client(**{"X-Forwarded-For": f"2001:db8:{n}::1"}) for n in range(3)]
        assert [client.get("/api/jobs").status_code for client in callers] == [401, 401, 429]


@pytest.mark.parametrize("name", ["RATE_LIMIT", "UPLOAD_RATE_LIMIT"])
def test_a_limit_that_is_none_is_named(tmp_path, name):
    with pytest.raises(ConfigurationError, match=name) as raised:
        RateLimits(settings_for(tmp_path, **{name: "fast"})[1])
    assert raised.value.param == name


def test_an_address_of_redis_that_is_none_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="QUEUE_URL is not valid"):
        RateLimits(settings_for(tmp_path, QUEUE_URL="redis://127.0.0.1:1/0?nonsense=1")[1])


def test_counts_in_a_redis_that_is_down_stop_nobody(tmp_path):
    server = settings_for(tmp_path, QUEUE_URL="redis://127.0.0.1:1/0")[1]
    limits = RateLimits(server)
    assert limits.count_request("key x") == {}
    limits.count_wrong_key("127.0.0.1")
