"""What `make run` starts: emulated AWS and Stripe, the API and a console, all on this machine. Never deployed."""
