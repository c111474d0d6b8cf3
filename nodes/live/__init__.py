"""The server's side of the live widgets."""
