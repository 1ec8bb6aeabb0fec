"""The operators against a sandbox on a socket, while time stands still."""
