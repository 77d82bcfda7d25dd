"""The HTTP server as vista objects: one module for each part of what a request passes through."""
