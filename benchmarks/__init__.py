"""What things cost, measured by running them."""
