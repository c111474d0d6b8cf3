"""What many DNAs and long runs have in common: steps needed, likeness, the shape of the path."""
