"""What a net is trained for: losses, metrics, optimisers. Tasks know no model; YAML is where they meet."""
