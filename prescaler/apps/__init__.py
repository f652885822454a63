"""What people and programs start."""
