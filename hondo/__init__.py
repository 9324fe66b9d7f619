"""The ground that training and serving stand on, and what users import: the client, the errors, the artifact contract."""
