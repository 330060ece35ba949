"""The operators' command line: secrets, resources, deploys and checks of a stage. Never deployed."""

import os

# stripe-python reads it at import, and prints whole answers then, a new endpoint's signing secret among them.
os.environ.pop("STRIPE_LOG", None)
