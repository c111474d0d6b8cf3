"""What a sampler does with its model calls, as formulas."""
