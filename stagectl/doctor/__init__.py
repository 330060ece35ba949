"""Checks of a stage, each with a remedy."""
