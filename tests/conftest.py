"""What all tests share: no time limits on properties, and model threads that sleep when idle, as in the workers."""

from hypothesis import settings

from handlers.device import let_others_compute, report_to_nobody

settings.register_profile("parley", deadline=None)
settings.load_profile("parley")
let_others_compute()
report_to_nobody()
