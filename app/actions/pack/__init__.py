"""The pack: everything of an unblinded study that goes with its manuscript, in one ZIP file."""
