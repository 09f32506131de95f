"""How tables and models are stored: Delta tables and XGBoost models on S3."""
