"""The console of `make run`: a checkout, what happens behind it, and faults to switch on. Never deployed."""
