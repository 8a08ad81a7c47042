"""Reports of results and of trainings: HTML pages, videos, TensorBoard events and previews."""
