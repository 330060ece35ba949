"""What this app adds to stagectl: Stripe key checks, the webhook endpoint, the smoke test."""
