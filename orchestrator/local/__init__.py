"""RunPod's serverless platform on this machine: the API, the queue and the worker processes."""
