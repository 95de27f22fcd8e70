"""Audio in: fetch it, guarded, and decode it to mono float32 at 16 kHz, bounded."""
