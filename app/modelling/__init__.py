"""What combines tables of cases with models: training and evaluating. Knows no study."""
