"""`parley deploy`: one settings file becomes RunPod endpoints, made or brought up to date."""
