"""The embedded default behind `make run`: AWS and Stripe on this machine. Never deployed."""
