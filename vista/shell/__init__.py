"""The face of vista: the command, the prompt, and how objects are shown."""
