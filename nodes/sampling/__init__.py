"""What CoTj KSampler chooses from: all that is known of a run before it is made."""
