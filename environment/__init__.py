"""What is installed in .venv for each make target, and the pins that it is installed from. Never deployed."""
