"""The console of `make run`: a checkout, the purchases with their events, and faults to switch on. Never deployed."""
