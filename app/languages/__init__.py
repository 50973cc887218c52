"""What pages say, in the reader's language: one catalogue a language, English in the source."""
