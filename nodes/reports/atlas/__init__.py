"""DNA Atlas: many DNAs side by side, in panels and in words; no host."""
