"""The bases and components of deploy/kubernetes; overlays are written by hand."""
