"""Programs that go into a pack and load it."""
