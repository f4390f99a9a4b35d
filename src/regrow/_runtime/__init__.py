"""The trio shell around `_core`: it feeds events in and carries out what comes back."""
