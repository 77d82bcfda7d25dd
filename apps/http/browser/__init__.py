"""The object browser: pages that show the nodes, their objects, classes, threads and services.

From below: `markup` writes HTML, `asking` asks the nodes, `graph` places them, the modules named
``*_pages`` and `frame` make pages of what was told, `entrance` lets people in, and two classes of
objects, in `session` and `service`, are what the runtime sees of all this.
"""
