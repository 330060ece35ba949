"""What `stagectl doctor` looks at: each check is a function that finds one thing right or wrong."""
