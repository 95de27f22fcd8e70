"""Parley on one's own machines: a web server with jobs that survive, and a page."""
