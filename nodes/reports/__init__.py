"""What a person sees, in words, pictures and JSON; no host."""
