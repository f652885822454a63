"""The review pages: HTML from the same functions that answer the JSON API."""
