"""Other implementations of the purchase. :mod:`benchmarks.build` installs them into build/bench."""
