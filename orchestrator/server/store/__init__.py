"""What the web server keeps: jobs and API keys in a database, recordings and results in a folder or in S3."""
