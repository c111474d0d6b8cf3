"""What a jump costs: one cost model a file."""
