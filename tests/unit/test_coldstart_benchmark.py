import json

from benchmarks.coldstart.report import document, stages_of, table
from benchmarks.coldstart.starts import Start, told_stages


def start(ready_s, *, first_result_s=0.0, libraries=(), **stages):
    return Start(
        ready_s=ready_s, first_result_s=first_result_s or ready_s + 1, stages=stages, libraries=frozenset(libraries)
    )


STARTS = {
    "diarization": [start(4.0, load_s=3.0), start(2.0, load_s=1.0), start(3.0, load_s=2.0, first_result_s=6.0)],
    "transcription": [start(10.0)],
    "orchestrator": [start(1.5, imports_s=0.7, sdk_s=0.5, libraries=["libc.so.6"])],
}
PLAIN = {
    "diarization": [{"total_s": 10.0, "library_s": 8.0}, {"total_s": 12.0, "library_s": 9.0}],
    "transcription": [{"total_s": 40.0}],
    "sdk": [{"interpreter_s": 0.1, "library_s": 2.0, "total_s": 2.1}],
}


def test_ratios_are_those_of_medians():
    figures = document(STARTS, PLAIN, cores=2)
    assert (figures["diarization_ratio"], figures["transcription_ratio"]) == (0.273, 0.25)
    assert figures["ready_s"] == {"diarization": 3.0, "transcription": 10.0, "orchestrator": 1.5}
    assert figures["first_result_ratios"] == {"diarization": 0.455, "transcription": 0.275}
    assert (figures["orchestrator_s"], figures["sdk_import_s"], figures["cores"]) == (1.5, 2.0, 2)
    assert json.loads(json.dumps(figures)) == figures


def test_torch_in_one_start_of_the_orchestrator_is_told():
    assert document(STARTS, PLAIN)["orchestrator_torch"] is False
    heavy = [*STARTS["orchestrator"], start(9.0, libraries=["libtorch_cpu.so"])]
    assert document({**STARTS, "orchestrator": heavy}, PLAIN)["orchestrator_torch"] is True


def test_the_interpreter_is_no_part_of_the_imports():
    assert stages_of([start(2.0, sdk_s=0.5, imports_s=0.7, own_s=0.1)], 0.2) == {
        "interpreter_s": 0.2,
        "imports_s": 0.5,
        "sdk_s": 0.5,
        "own_s": 0.1,
    }
    assert stages_of([start(2.0)], 0.2) == {}


def test_the_table_has_a_row_for_each_worker_and_dashes_for_what_is_not_known():
    head, _, diarization, _, orchestrator = table(document(STARTS, PLAIN)).splitlines()
    assert head.startswith("| worker | interpreter | own imports | loading | SDK | ready |")
    assert diarization == "| diarization | – | – | 2.00 | – | 3.00 | 5.00 | 11.00 | 0.27 | 0.46 |"
    assert orchestrator == "| orchestrator | 0.10 | 0.60 | – | 0.50 | 1.50 | 2.50 | – | – | – |"


def test_stages_are_those_of_the_log_line_that_tells_them(tmp_path):
    log = tmp_path / "worker.log"
    event = {"event": "cold_start", "worker": "diarization", "total_s": 3.0, "imports_s": 1.0, "load_s": 2.0}
    log.write_text("\n".join(["--- Starting", "{broken", '{"event": "other", "load_s": 9}', json.dumps(event)]))
    assert told_stages(log) == {"imports_s": 1.0, "load_s": 2.0}
    log.write_text("PARLEY-FATAL no\n")
    assert told_stages(log) == {}
