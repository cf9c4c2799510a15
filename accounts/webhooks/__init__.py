"""Webhooks: where to send what happened, signed by the Standard Webhooks specification."""
