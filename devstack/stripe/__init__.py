"""An emulator of Stripe's API on loopback, for `make run` and the tests. It keeps its state in memory."""
