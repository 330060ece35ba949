"""The operators' command line: secrets, resources, deploys and checks of a stage. Never deployed."""
