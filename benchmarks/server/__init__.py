"""The web server under ten recordings at once: how fast it answers meanwhile, what it needs, how the page scrolls."""
