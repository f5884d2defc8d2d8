"""The reference Gateway: from Alertmanager webhooks to RemediationRequests."""
