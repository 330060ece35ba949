"""A stand-in of Stripe's API on loopback, for `make run` and the tests. State is in memory, money is nowhere."""
