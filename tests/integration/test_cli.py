import asyncio
import json

import pytest

from orchestrator import cli, cli_client
from orchestrator.cli import main
from tests.support.fake_endpoint import DIARIZED, HEARD
from tests.support.scripted_server import scripted_server

QUEUED = {"id": "job-1", "status": "IN_QUEUE"}
ANSWER = {**HEARD, "text": "SPEAKER_00: Hello there.", "format": "text"}


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run the command against a scripted endpoint; returns exit code, stdout, stderr, and what was asked."""

    def call(*arguments, final):
        async def scripted():
            async with scripted_server({"run": [QUEUED], "status/job-1": [final]}) as script:
                monkeypatch.setenv("RUNPOD_BASE_URL", script.url)
                code = await asyncio.to_thread(main, [str(part) for part in arguments])
                return code, script.asked[0][1] if script.asked else None

        for name in ("ORCHESTRATOR", "DIARIZATION", "TRANSCRIPTION"):
            monkeypatch.setenv(f"{name}_ENDPOINT_ID", "endpoint")
        monkeypatch.setenv("RUNPOD_API_KEY", "key")
        # signal handlers belong to the main thread, where a user's command runs
        monkeypatch.setattr(cli, "_until_told_to_stop", lambda arguments: arguments.command(arguments))
        code, asked = asyncio.run(scripted())
        captured = capsys.readouterr()
        return code, captured.out, captured.err, asked

    return call


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(b"RIFF....")
    return path


def completed(output):
    return {"id": "job-1", "status": "COMPLETED", "output": output}


def failed(code, message):
    envelope = {"code": code, "message": message, "param": None, "retryable": False}
    return {"id": "job-1", "status": "FAILED", "error": json.dumps(envelope)}


def test_transcribe_prints_the_text(run, recording):
    hotwords = ("--hotword", "Ada", "--hotword", "Fort Wayne")
    code, out, _, asked = run(
        "transcribe", recording, "--speakers", 2, "--language", "en", *hotwords, final=completed(ANSWER)
    )
    assert (code, out) == (0, "SPEAKER_00: Hello there.\n")
    assert asked["input"]["num_speakers"] == 2
    assert asked["input"]["language"] == "en"
    assert asked["input"]["hotwords"] == ["Ada", "Fort Wayne"]
    assert asked["input"]["response_format"] == "text"
    assert asked["input"]["audio"] == "UklGRi4uLi4="


def test_speakers_are_told_apart_by_voice_and_named(run, recording, tmp_path):
    (tmp_path / "sheila.wav").write_bytes(b"voice")
    known = ("--known", f"Sheila={tmp_path / 'sheila.wav'}", "--known", "Ada=https://example.org/ada.wav?a=b")
    flags = ("--name", "SPEAKER_01=Bob Fox", "--name", "SPEAKER_02=Eve", "--name-speakers", "--speaker-confidence")
    code, _, _, asked = run("transcribe", recording, *known, *flags, final=completed(ANSWER))
    assert code == 0
    assert asked["input"]["known_speakers"] == [
        {"name": "Sheila", "audio": "dm9pY2U="},
        {"name": "Ada", "audio": "https://example.org/ada.wav?a=b"},
    ]
    assert asked["input"]["speaker_names"] == {"SPEAKER_01": "Bob Fox", "SPEAKER_02": "Eve"}
    assert (asked["input"]["name_speakers"], asked["input"]["speaker_confidence"]) == (True, True)


def test_diarize_knows_voices_too(run, recording):
    _, _, _, asked = run("diarize", recording, "--known", f"Sheila={recording}", final=completed(DIARIZED))
    assert asked["input"]["known_speakers"] == [{"name": "Sheila", "audio": "UklGRi4uLi4="}]


def test_earlier_words_get_new_speakers(run, recording, tmp_path):
    earlier = tmp_path / "earlier.json"
    earlier.write_text(json.dumps(HEARD), encoding="utf-8")
    _, out, _, asked = run("transcribe", recording, "--words", earlier, "--speakers", 3, final=completed(ANSWER))
    assert out == "SPEAKER_00: Hello there.\n"
    assert asked["input"]["words"] == HEARD["words"]
    assert (asked["input"]["num_speakers"], asked["input"]["language"]) == (3, "en")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read earlier.json: No such file or directory [invalid_input]"),
        ("SPEAKER_00: Hello", "earlier.json is not JSON; make it with --format verbose_json [invalid_input]"),
        ('{"text": "Hello"}', "ask for response_format verbose_json with timestamps true [invalid_input]"),
        ("[" * 200_000, "earlier.json is not JSON; make it with --format verbose_json [invalid_input]"),
        ("[]", "is the object that response_format verbose_json gives [invalid_input]"),
    ],
)
def test_a_file_without_words_never_reaches_the_endpoint(run, recording, tmp_path, monkeypatch, content, reason):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "earlier.json").write_text(content, encoding="utf-8")
    code, _, err, asked = run("transcribe", recording, "--words", "earlier.json", final=completed(ANSWER))
    assert (code, asked) == (2, None)
    assert err.endswith(f"{reason}\n")


def test_a_missing_voice_never_reaches_the_endpoint(run, recording):
    code, _, err, asked = run("transcribe", recording, "--known", "Ada=none.wav", final=completed(ANSWER))
    assert (code, asked, err) == (2, None, "error: cannot read none.wav: no such file [invalid_input]\n")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--speakers", 0), "num_speakers: Input should be greater than or equal to 1"),
        (("--no-diarize", "--known", "Ada=a.wav"), "known_speakers needs diarize"),
        (("--no-diarize", "--words", "earlier.json"), "are given to find their speakers anew"),
        (("--name", "SPEAKER_00=SPEAKER_01"), "SPEAKER_01 is the label of a speaker"),
        (("--name-speakers",), "name_speakers needs a language model"),
        (("--known", "Ada=empty.wav"), "empty.wav is empty (0 bytes) [empty_audio]"),
        (("--known", "Ada=ftp://example.org/a.wav"), "ftp:// URLs cannot be fetched"),
        (("--known", f"Ada={'x' * 5000}"), "…xxxxx"),
    ],
)
def test_what_cannot_be_met_starts_no_worker(run, recording, tmp_path, monkeypatch, arguments, reason):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPEAKER_NAMING_URL", raising=False)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "earlier.json").write_text(json.dumps(HEARD), encoding="utf-8")
    monkeypatch.setattr(cli_client, "local_stack", None)
    code, _, err, asked = run("transcribe", recording, "--local", *arguments, final=completed(ANSWER))
    assert (code, asked, len(err.splitlines())) == (2, None, 1)
    assert reason in err
    assert len(err) < 250


def test_what_diarize_cannot_meet_starts_no_worker(run, recording, monkeypatch):
    monkeypatch.setattr(cli_client, "local_stack", None)
    bounds = ("--speakers", 2, "--max-speakers", 3)
    code, _, err, _ = run("diarize", recording, "--local", *bounds, final=completed(DIARIZED))
    assert (code, err) == (2, "error: give num_speakers, or min_speakers/max_speakers, not both [invalid_input]\n")


def test_speech_without_words_is_told_beside_the_text(run, recording):
    coverage = {"speech_s": 9.0, "repaired_s": 2.0, "empty_s": 1.5, "empty": [{"start": 1.0, "end": 2.5}], "failed": []}
    _, out, err, _ = run("transcribe", recording, final=completed({**ANSWER, "coverage": coverage}))
    assert out == "SPEAKER_00: Hello there.\n"
    assert "coverage: of 9.0 s of speech, 2.0 s got words when decoded again, 1.5 s have none\n" in err


def test_json_formats_are_printed_as_json_and_files_written(run, recording, tmp_path):
    target = tmp_path / "out.json"
    code, out, _, _ = run("transcribe", recording, "--format", "verbose_json", "-o", target, final=completed(HEARD))
    assert (code, out) == (0, "")
    assert json.loads(target.read_text(encoding="utf-8")) == HEARD


def test_no_diarize_is_passed_on(run, recording):
    _, _, _, asked = run("transcribe", recording, "--no-diarize", final=completed(ANSWER))
    assert asked["input"]["diarize"] is False


def test_diarize_prints_rttm_or_json(run, recording):
    code, out, _, _ = run("diarize", recording, final=completed(DIARIZED))
    assert (code, out.splitlines()[1]) == (0, "SPEAKER audio 1 1.000 1.000 <NA> <NA> SPEAKER_01 <NA> <NA>")
    _, out, _, _ = run("diarize", recording, "--format", "json", final=completed(DIARIZED))
    assert json.loads(out)["num_speakers"] == 2


@pytest.mark.parametrize(
    ("final", "exit_code", "line"),
    [
        (failed("unreadable_audio", "this is not audio"), 2, "error: this is not audio [unreadable_audio]"),
        (
            failed("bad_audio_url", "the audio URL\nanswered 404"),
            2,
            "error: the audio URL answered 404 [bad_audio_url]",
        ),
        (failed("engine_failed", "out of memory"), 1, "error: out of memory [engine_failed]"),
        ({"status": "CANCELLED"}, 1, "error: the job was cancelled on the orchestrator endpoint [cancelled]"),
        (
            completed("no object"),
            1,
            (
                "error: the orchestrator endpoint returned something else than its result; "
                "check ORCHESTRATOR_ENDPOINT_ID [endpoint_failed]"
            ),
        ),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(run, recording, final, exit_code, line):
    code, out, err, _ = run("transcribe", recording, final=final)
    assert (code, out, err.splitlines()) == (exit_code, "", [line])


def test_a_missing_file_never_reaches_the_endpoint(run, tmp_path):
    code, _, err, asked = run("transcribe", tmp_path / "none.wav", final=completed(ANSWER))
    assert (code, asked) == (2, None)
    assert err.endswith("none.wav: no such file [invalid_input]\n")


def test_an_output_that_cannot_be_written_never_reaches_the_endpoint(run, recording, tmp_path):
    code, _, err, asked = run("transcribe", recording, "-o", tmp_path / "no" / "x.txt", final=completed(ANSWER))
    assert (code, asked) == (2, None)
    assert "cannot write" in err


def test_usage_errors_exit_with_2(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["transcribe"])
    assert caught.value.code == 2
    assert "the following arguments are required: audio" in capsys.readouterr().err


@pytest.mark.parametrize("pair", ["Sheila", "=a.wav", "Sheila="])
def test_half_a_pair_is_a_usage_error(capsys, pair):
    with pytest.raises(SystemExit) as caught:
        main(["diarize", "a.wav", "--known", pair])
    assert caught.value.code == 2
    assert "has not the form LEFT=RIGHT" in capsys.readouterr().err


def test_an_unconfigured_client_says_what_to_set(monkeypatch, recording, capsys):
    for name in ("ORCHESTRATOR_ENDPOINT_ID", "DIARIZATION_ENDPOINT_ID", "TRANSCRIPTION_ENDPOINT_ID"):
        monkeypatch.delenv(name, raising=False)
    assert main(["transcribe", str(recording)]) == 1
    assert "DIARIZATION_ENDPOINT_ID" in capsys.readouterr().err
