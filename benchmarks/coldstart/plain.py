"""The plain scripts that workers are compared with: import the library, load the model its way, infer once.

`python -m benchmarks.coldstart.plain SCRIPT BEGUN ARGUMENT…` prints one JSON line: the seconds of each stage since
`BEGUN` (seconds of the epoch). Nothing is imported before it is needed; of Parley there is only what pyannote lacks.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def sdk() -> Iterator[str]:
    """Import the RunPod SDK: what every worker needs."""
    import runpod  # noqa: F401, PLC0415 - imports are measured

    yield "library_s"


def diarization(audio: str, package: str) -> Iterator[str]:
    """Run the bundled models in pyannote's own pipeline, in batches of 32 as its pipelines are published.

    NeMo and SpeechBrain, which it imports too where they are installed, are hidden: beside it alone they would not be.
    """
    sys.modules.update(dict.fromkeys(("nemo", "speechbrain")))  # type: ignore[arg-type]  # None: not to be imported
    import torch  # noqa: PLC0415 - imports are measured
    from pyannote.audio import Model  # noqa: PLC0415
    from pyannote.audio.core.plda import PLDA  # noqa: PLC0415
    from pyannote.audio.pipelines import SpeakerDiarization  # noqa: PLC0415

    from handlers.diarization.campplus_model import CampPlusEmbedding  # noqa: PLC0415
    from handlers.diarization.pipelines import BUNDLED_PARAMETERS, BUNDLED_SEGMENTATION  # noqa: PLC0415

    yield "library_s"
    pipeline = SpeakerDiarization(
        segmentation=Model.from_pretrained(f"{package}/{BUNDLED_SEGMENTATION}"),
        embedding=CampPlusEmbedding(Path(package)),
        embedding_exclude_overlap=True,
        clustering="AgglomerativeClustering",
        plda=PLDA.__new__(PLDA),  # agglomerative clustering has no use for one
        segmentation_batch_size=32,
        embedding_batch_size=32,
    ).instantiate(BUNDLED_PARAMETERS)
    pipeline.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    yield "load_s"
    samples, rate = _read(audio)  # pyannote's own reader needs ffmpeg's libraries
    pipeline({"waveform": torch.from_numpy(samples)[None], "sample_rate": rate})
    yield "inference_s"


def parakeet(audio: str, checkpoint: str) -> Iterator[str]:
    """Restore a `.nemo` file and transcribe as NeMo's documentation does, without its progress bar."""
    import nemo.collections.asr as nemo_asr  # noqa: PLC0415 - imports are measured

    yield "library_s"
    model = nemo_asr.models.ASRModel.restore_from(checkpoint)
    yield "load_s"
    model.transcribe([_read(audio)[0]], verbose=False)
    yield "inference_s"


def whisper(audio: str, folder: str) -> Iterator[str]:
    """Transcribe with word times as faster-whisper's documentation does."""
    from faster_whisper import WhisperModel  # noqa: PLC0415 - imports are measured

    yield "library_s"
    model = WhisperModel(folder)
    yield "load_s"
    list(model.transcribe(audio, word_timestamps=True)[0])
    yield "inference_s"


def _read(audio: str) -> tuple[Any, int]:
    """Return a file's samples and their rate."""
    import soundfile  # noqa: PLC0415 - imports are measured

    samples, rate = soundfile.read(audio, dtype="float32")
    return samples, rate


SCRIPTS: dict[str, Callable[..., Iterator[str]]] = {
    "sdk": sdk,
    "diarization": diarization,
    "parakeet": parakeet,
    "whisper": whisper,
}


def main(script: str, begun: str, *arguments: str) -> None:
    """Run a script and print the seconds of its stages, that of the interpreter first."""
    at = float(begun)
    seconds = {"interpreter_s": time.time() - at}
    for stage in SCRIPTS[script](*arguments):
        seconds[stage] = time.time() - at - sum(seconds.values())
    print(json.dumps({**seconds, "total_s": time.time() - at}))


if __name__ == "__main__":
    main(*sys.argv[1:])
