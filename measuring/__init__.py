"""What a run leaves behind, in torch without host: sketches, profiles, distances."""
