"""HTTP: the server, what is checked of every request, and how answers are written."""
