"""How the demo model was made: captioned procedural images, a checker that reads images back, training."""
