"""Tests of the tests' own judges: each fails if its judge sees nothing."""
