"""Powertools for AWS Lambda with stripe-python."""
