"""The CPU side: endpoints in parallel, the merge, the client, the command line, the local platform."""
