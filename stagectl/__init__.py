"""The operators' command line for any Chalice app: secrets, resources, deploys and checks. Never deployed."""
