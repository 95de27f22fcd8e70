"""What audio a worker accepts, and the sample rate that everything after decoding uses."""

from dataclasses import dataclass

from common.errors import InputTooLargeError, UnreadableAudioError

SAMPLE_RATE = 16_000
FURTHER_AUDIO_S = 120.0  # of a recording beside the job's own, such as a known speaker's; the rest is left out


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioLimits:
    """Bounds on fetching and decoding; the defaults suit one recording of up to four hours."""

    max_download_bytes: int = 2 * 1024**3
    max_duration_s: float = 4 * 3600
    max_channels: int = 8
    min_sample_rate_hz: int = 4_000
    max_sample_rate_hz: int = 192_000
    fetch_timeout_s: float = 300.0
    max_redirects: int = 5
    allow_private_addresses: bool = False

    def check_format(self, *, sample_rate_hz: int, channels: int) -> None:
        """Raise InputTooLargeError above, UnreadableAudioError below the accepted channels and sample rates (Hz)."""
        if channels > self.max_channels:
            raise InputTooLargeError(
                f"the audio has {channels} channels, the limit is {self.max_channels}; mix it down first", param="audio"
            )
        if sample_rate_hz > self.max_sample_rate_hz:
            raise InputTooLargeError(
                f"the audio's sample rate is {sample_rate_hz} Hz, the limit is {self.max_sample_rate_hz} Hz",
                param="audio",
            )
        if channels < 1 or sample_rate_hz < self.min_sample_rate_hz:
            raise UnreadableAudioError(
                f"the audio's header says {channels} channels at {sample_rate_hz} Hz; "
                f"at least one channel at {self.min_sample_rate_hz} Hz is needed",
                param="audio",
            )

    def check_duration(self, duration_s: float) -> None:
        """Raise InputTooLargeError if `duration_s` seconds of decoded audio are too many."""
        if duration_s > self.max_duration_s:
            raise InputTooLargeError(
                f"the audio is longer than the limit of {self.max_duration_s:g} s; send it in parts", param="audio"
            )

    def check_bytes(self, size_bytes: int) -> None:
        """Raise InputTooLargeError if an audio file of `size_bytes` bytes is too large."""
        if size_bytes > self.max_download_bytes:
            raise InputTooLargeError(
                f"the audio file is larger than the limit of {self.max_download_bytes} bytes; "
                "send it compressed (opus, mp3) or in parts",
                param="audio",
            )
