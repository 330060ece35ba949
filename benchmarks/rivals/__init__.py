"""The same purchase as others build it: an app each, which :mod:`benchmarks.build` installs into build/bench."""
