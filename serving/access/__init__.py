"""Who may ask what of a server: TLS, tokens with permissions, limits for each client."""
