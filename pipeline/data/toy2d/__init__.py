"""Problems in two dimensions: generators and data modules."""
