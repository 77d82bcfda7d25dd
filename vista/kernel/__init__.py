"""The local runtime: objects, threads, mutual exclusion, services and access on one node."""
