"""Training tasks: losses, metrics, optimisers. A task imports no architecture; YAML joins the two."""
