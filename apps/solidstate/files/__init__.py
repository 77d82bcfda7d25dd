"""A file service that a group of replicas keeps, and what a program uses it by."""
