"""What was said, and when."""
