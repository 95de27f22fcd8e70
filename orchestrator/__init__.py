"""The CPU side: calls the endpoints in parallel, merges, answers; and the client, the command line, the local platform."""
