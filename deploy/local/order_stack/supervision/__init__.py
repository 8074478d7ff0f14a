"""Processes of a stack: started, watched, signalled and stopped."""
