"""The web server's routes, one file per resource, and what they share: who calls, what is read, how errors look."""
