"""What runs in tritonclient's own virtual environment: nothing here may import the rest of the tests."""
