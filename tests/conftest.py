"""What all tests share: properties are checked without time limits, for machines are noisy."""

from hypothesis import settings

settings.register_profile("parley", deadline=None)
settings.load_profile("parley")
