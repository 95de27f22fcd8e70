"""How fast and how well Parley diarizes, beside pyannote's own run of the same models."""
