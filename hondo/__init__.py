"""The ground that training and serving stand on, and what users import: client, errors, artifact contract."""
