"""Both models in one worker, for low volume: the request and result of the orchestrator."""
