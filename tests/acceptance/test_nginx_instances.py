"""Two real servers behind the real nginx with the repository's configuration: one site, whichever of them answers."""

import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import yaml

from tests.support.nginx import NAME, replaced
from tests.support.optional import needed_program
from tests.support.team import MAX_AUDIO_BYTES, RECORDING, running_team

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "self-hosting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", GUIDE, flags=re.DOTALL)
CERTIFICATE = next(block for block in BLOCKS if "openssl req" in block)
TEXT = "Hello there. Hi."
WRONG_KEYS = 20  # a minute
BOUNDARY = "----cut"
PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n'
END = f"\r\n--{BOUNDARY}--\r\n".encode()
SILENCE = bytes(4_000_000)


@pytest.fixture(scope="module")
def team(tmp_path_factory):
    certificate = replaced(CERTIFICATE, {f"=DNS:{NAME}": f"=DNS:{NAME},IP:127.0.0.1"})
    with running_team(tmp_path_factory.mktemp("team"), certificate=certificate) as running:
        yield running


class SlowUpload:
    """An upload of which the first part was sent, and the rest is when `finish` is called."""

    def __init__(self, team, name):
        self.connection = team.connection()
        beginning = (PART % name).encode() + RECORDING
        head = {
            "Host": NAME, "Authorization": f"Bearer {team.key}", "Connection": "close",
            "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
            "Content-Length": len(beginning) + len(SILENCE) + len(END),
        }  # fmt: skip
        lines = "".join(f"{key}: {value}\r\n" for key, value in head.items())
        self.connection.sendall(f"POST /api/upload?hotwords={name} HTTP/1.1\r\n{lines}\r\n".encode() + beginning)
        self.connection.sendall(SILENCE[:2_000_000])

    def finish(self):
        self.connection.sendall(SILENCE[2_000_000:] + END)

    def answer(self):
        """Status and body, once they are there."""
        received = b""
        with self.connection as connection:
            while piece := connection.recv(65536):
                received += piece
        head, _, body = received.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body[body.index(b"{") : body.rindex(b"}") + 1])


@contextmanager
def meanwhile(work):
    """Do `work` in a thread again and again while the block lasts; gives what it returned."""
    found, ended = [], threading.Event()

    def again():
        while not ended.wait(0.01):
            found.append(work())

    thread = threading.Thread(target=again)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def events_of(client, job_id):
    """Yield the names of events, asking again where the connection breaks, as browsers do."""
    last = ""
    while last != "complete":
        try:
            with client.stream("GET", f"/api/events/{job_id}") as answer:
                assert answer.headers["content-type"].startswith("text/event-stream")
                for line in answer.iter_lines():
                    if line.startswith("event: "):
                        last = line.removeprefix("event: ")
                        yield last
        except httpx.TransportError:
            yield "cut off"


def test_what_one_server_takes_all_of_them_show(team):
    job_id = team.upload("shown")
    assert team.ended(job_id).state == "completed"
    for client in (team.member(), *team.each()):
        assert client.get(f"/api/status/{job_id}").json()["status"] == "completed"
        assert client.get(f"/api/results/{job_id}").json()["text"] == TEXT
        assert client.get("/api/jobs").json()["jobs"][0]["job_id"] == job_id


@pytest.mark.parametrize("names", [("first", "second")])
def test_both_servers_take_jobs_and_tell_of_those_of_the_other(team, names):
    with team.holding():
        jobs = [team.upload(name, wait=True) for name in names]
        team.until(lambda: all(team.runs_on(job_id) for job_id in jobs))
        assert {team.runs_on(job_id) for job_id in jobs} == {process.pid for process in team.servers.values()}
        told = [events_of(team.member(), job_id) for job_id in jobs]
        assert [next(names) for names in told] == ["status", "status"]  # while both are at work: nothing holds it back
    assert [list(names)[-1] for names in told] == ["complete", "complete"]


def test_an_upload_is_stored_while_it_arrives_and_nginx_keeps_none_of_it(team):
    upload = SlowUpload(team, "slow.wav")
    ((_, arriving),) = team.until(team.incoming)
    team.until(lambda: arriving.stat().st_size >= 1_000_000)
    assert team.nginx.spooled() == []
    upload.finish()
    status, told = upload.answer()
    assert (status, told["filename"]) == (202, "slow.wav")
    assert team.ended(told["job_id"]).audio_bytes == len(RECORDING) + len(SILENCE)
    assert team.nginx.spooled() == []


def test_too_much_is_refused_by_whoever_sees_it_first(team):
    declared = f"POST /api/upload HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 3000000000\r\n\r\n"
    with team.connection() as connection:
        connection.sendall(declared.encode())
        told = connection.recv(65536)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"input_too_large"' in told
    form = [(PART % "big.wav").encode(), RECORDING, *[bytes(1_000_000)] * (MAX_AUDIO_BYTES // 1_000_000), END]
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = team.member().post("/api/upload", content=iter(form), headers=kind)  # chunked: its size is not known
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "input_too_large")
    assert str(MAX_AUDIO_BYTES) in answer.json()["error"]["message"]


def test_parts_of_a_recording_are_fetched_and_what_is_workers_business_is_not_public(team):
    job_id = team.upload("heard")
    team.ended(job_id)
    client = team.member()
    part = client.get(f"/api/jobs/{job_id}/audio", headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.headers["Content-Range"]) == (206, f"bytes 100-299/{len(RECORDING)}")
    assert part.content == RECORDING[100:300]
    token = "/internal/audio/x"
    assert client.get(token).status_code == 404
    worker = workers_client(team)
    assert worker.get(token).json()["error"]["code"] == "job_not_found"  # by a server
    assert worker.get("/api/session").text.count("nginx") > 0  # not by one
    assert not [line for line in team.nginx.log() if "/internal/" in line[3] and line[4] != "404"]


def workers_client(team):
    return team.client(f"http://127.0.0.1:{team.nginx.ports['workers']}")


def test_who_signs_in_on_one_server_is_known_to_all_over_https_alone(team):
    browser = team.client(Origin=f"https://{NAME}")
    answer = browser.post("/api/session", json={"key": team.key})
    assert answer.status_code == 204
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    cookie = re.match(r"parley_session=[^;]+", answer.headers["Set-Cookie"])[0]
    signed_in = {"Cookie": cookie}
    for client in (browser, *[team.client(str(one.base_url)) for one in team.each()]):
        assert client.get("/api/session", headers=signed_in).json()["name"] == "Ann"
    evil = {**signed_in, "Origin": "https://evil.example"}
    assert browser.delete("/api/jobs/" + "0" * 32, headers=evil).status_code == 401
    assert browser.delete("/api/jobs/" + "0" * 32, headers=signed_in).status_code == 404


def test_by_http_pages_are_sent_to_https_and_keys_are_refused(team):
    plain, lines = team.client(f"http://127.0.0.1:{team.nginx.ports['http']}", Host="evil.example"), team.nginx.log()
    page = plain.get("/?job=1")
    assert (page.status_code, page.headers["Location"]) == (308, f"https://{NAME}/?job=1")
    for path in ("/api/jobs?limit=1", "/v1/audio/transcriptions", "/health", "/metrics"):
        answer = plain.post(path, headers={"Authorization": f"Bearer {team.key}"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    proof = team.nginx.folder / "html/.well-known/acme-challenge/proof"
    proof.parent.mkdir(parents=True)
    proof.write_text("it is mine")
    for path in (proof, *list(proof.parents)[:3]):
        path.chmod(0o755)
    assert plain.get("/.well-known/acme-challenge/proof").text == "it is mine"
    assert team.nginx.log() == lines


def test_callers_are_counted_together_and_by_their_own_address(team):
    key = team.keys.add("Bob")[1]
    clients = [team.client(str(one.base_url), key) for one in team.each()]
    left = [int(client.get("/api/jobs").headers["RateLimit-Remaining"]) for client in (*clients, *clients)]
    assert left == [left[0] - n for n in range(4)]
    lying = [team.client(key="wrong", **{"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(2)]
    statuses = [lying[n % 2].get("/api/jobs").status_code for n in range(WRONG_KEYS + 1)]
    assert statuses == [401] * WRONG_KEYS + [429]


def test_a_browsers_http_2_and_compression(team):
    needed_program("curl")
    port = team.nginx.ports["https"]
    (team.folder / "talk.wav").write_bytes(RECORDING)
    curl = ["curl", "-sS", "--http2", "--compressed", "--resolve", f"{NAME}:{port}:127.0.0.1"]
    curl += ["--cacert", str(team.folder / "fullchain.pem"), "-H", f"Authorization: Bearer {team.key}"]
    curl += ["-w", "\n%{http_version} %{http_code} %header{content-encoding}"]

    def asked(path, *options):
        command = [*curl, *options, f"https://{NAME}:{port}{path}"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
        return answer.rpartition("\n")[::2]

    body, told = asked("/api/upload?hotwords=curl", "-F", f"file=@{team.folder}/talk.wav")
    assert told.split() == ["2", "202"]
    team.ended(json.loads(body)["job_id"])
    assert asked("/openapi.json")[1].split() == ["2", "200", "gzip"]


def test_of_a_server_that_is_killed_clients_see_nothing_but_what_they_send_again(team):
    with team.holding(), ThreadPoolExecutor(1) as watching:
        job_id = team.upload("held", wait=True)
        killed = team.until(lambda: team.runs_on(job_id))
        uploads = one_upload_at_each_server(team)
        watched = watching.submit(lambda: list(events_of(team.member(), job_id)))
        polling = team.member()
        with meanwhile(lambda: polling.get(f"/api/status/{job_id}").status_code) as statuses:
            team.until(lambda: statuses)
            team.servers[team.port_of(killed)].kill()
            refused = uploads.pop(team.port_of(killed)).answer()
            team.until(lambda: team.runs_on(job_id) not in {None, killed})
            (other,) = uploads.values()
            other.finish()
            status, taken = other.answer()
            team.go()
            job = team.ended(job_id)
        assert watched.result()[-1] == "complete"
    assert set(statuses) == {200}
    assert (job.state, job.attempts) == ("completed", 2)
    assert team.diary().count("began held") == team.diary().count("ended held") == 1
    assert (refused[0], refused[1]["error"]["code"], refused[1]["error"]["retryable"]) == (
        502,
        "submission_unknown",
        False,
    )
    sent = [line[-3:-1] for line in team.nginx.log() if line[2:5] == ['"POST', '/api/upload"', "502"]]
    assert sent == [[f"127.0.0.1:{team.port_of(killed)}", "502"]]  # to one server, once
    assert (status, team.ended(taken["job_id"]).state) == (202, "completed")
    names = [one["filename"] for one in polling.get("/api/jobs").json()["jobs"]]
    assert sum(name.startswith("upload") for name in names) == 1


def one_upload_at_each_server(team):
    """Uploads that have begun, by the ports of the servers that take them."""
    uploads, seen = {}, set()
    while uploads.keys() != team.servers.keys():
        upload = SlowUpload(team, f"upload{len(seen)}.wav")
        ((port, path),) = team.until(lambda: team.incoming() - seen)
        seen.add((port, path))
        uploads.setdefault(port, upload)
    return uploads


def test_one_that_comes_back_takes_part_again(team):
    gone = [port for port, process in team.servers.items() if process.poll() is not None]
    for port in gone or [next(iter(team.servers))]:
        team.servers[port].kill()
        team.listening(team.begin_server(port))
    test_both_servers_take_jobs_and_tell_of_those_of_the_other(team, ("third", "fourth"))
    client, seen = team.member(), len(team.nginx.log())

    def answered():
        """The ports of the servers that answered."""
        assert client.get("/health").status_code == 200
        return {int(line[-3].rpartition(":")[2]) for line in team.nginx.log()[seen:]}

    team.until(lambda: answered() == team.servers.keys())


def test_the_guides_commands_to_watch_and_to_update(team):
    first, second = map(str, team.servers)

    def run(word, **changes):
        (block,) = [one for one in BLOCKS if word in one]
        commands = f"sudo() {{ echo $*; }}\n{replaced(block, changes)}"
        env = {**os.environ, "PARLEY_KEY": team.key}
        return subprocess.run(
            ["bash", "-euc", commands], env=env, capture_output=True, text=True, timeout=60, check=True
        )

    for name in ("compose.yaml", "selfhost/compose.yaml"):
        server = "server" if name == "compose.yaml" else "server-1"
        _, *check = yaml.safe_load((ROOT / name).read_text())["services"][server]["healthcheck"]["test"]
        check = [sys.executable, *check[1:-1], replaced(check[-1], {":8080": f":{first}"})]
        subprocess.run(check, timeout=60, check=True)
    told = run("PARLEY_KEY", **{"8081": first}).stdout
    assert told.startswith('{"status":"ok"}{"status":"ok","version"')
    assert 'parley_server_jobs{state="completed"}' in told
    lines = run("until curl", **{"8081 8082": f"{first} {second}"}).stdout.splitlines()
    answered = '{"status":"ok"}'
    assert lines == [
        f"systemctl restart parley-server@{first}",
        f"{answered}systemctl restart parley-server@{second}",
        f"{answered}systemctl restart --no-block parley-worker@diarization parley-worker@transcription",
    ]


def test_where_no_server_is_left_that_is_said_as_errors_are(team):
    for process in team.servers.values():
        process.terminate()
    assert {process.wait(30) for process in team.servers.values()} == {130}
    answer = team.member().get("/api/jobs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "endpoint_unreachable")
    assert answer.json()["error"]["request_id"] == team.nginx.log()[-1][-1]
    assert workers_client(team).get("/internal/audio/of-a-recording").status_code == 502
    assert "/api/jobs" in team.nginx.errors()
    assert "of-a-recording" not in team.nginx.errors() + str(team.nginx.log())
