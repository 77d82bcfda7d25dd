"""How Sphinx builds these pages: only its own extensions and its default theme."""

from importlib.metadata import version as installed_version

project = "vista"
author = "the vista authors"
copyright = "the vista authors"
release = version = installed_version("vista")

extensions = ["sphinx.ext.autodoc", "sphinx.ext.doctest"]
exclude_patterns = ["_build"]
# Single backticks in docstrings name Python objects; what cannot be found stays plain code.
default_role = "py:obj"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autoclass_content = "class"
python_use_unqualified_type_names = True

html_static_path = ["_static"]
html_theme = "alabaster"
html_theme_options = {
    "description": "A distributed object runtime for Python",
    "fixed_sidebar": True,
    "page_width": "64rem",
}
html_copy_source = False
