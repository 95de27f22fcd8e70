"""What every engine on NVIDIA NeMo shares: its import without noise, and its checkpoints."""
