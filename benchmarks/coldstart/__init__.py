"""How long a worker takes from its process's start to its first job and its first result."""
