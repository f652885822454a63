"""The HTTP server: the metric route for KEDA, the review API."""
