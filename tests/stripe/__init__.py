"""A stand-in for Stripe: another process that speaks the part of its API that Tollgate uses, and can fail in every way.

`python -m tests.stripe --port 0` starts one and prints its address. Tests start it with `tests.stripe.process.StandIn`.
"""
