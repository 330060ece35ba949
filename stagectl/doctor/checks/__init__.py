"""Checks that hold for any Chalice app. Each is a function that looks at one thing."""
