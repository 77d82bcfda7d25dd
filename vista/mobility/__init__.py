"""Classes and objects that travel: class source to module and back."""
