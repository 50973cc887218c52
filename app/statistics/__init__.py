"""Reader statistics: arrays in, frozen results out."""
