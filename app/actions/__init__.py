"""What people do: one action, one transaction, one audit event."""
