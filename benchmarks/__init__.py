"""Measures what this service costs, beside rivals: the same purchase built in other ways."""
