"""What assets run on: the lake (S3), the Spark engine, the model registry."""
