"""What the way into a request costs: Opus at the bit rates that long recordings get."""
