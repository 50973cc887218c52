"""reread: human + AI reader studies in dermatology."""
