"""POST /v1/keys/verify and /v1/keys/verify/batch: the gate over HTTP."""
