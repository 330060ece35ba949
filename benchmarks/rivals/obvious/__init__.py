"""Chalice with boto3 and stripe-python."""
