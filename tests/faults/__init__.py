"""The launch guarantees on the real thing: whole Airflows, killed and lied to, against a sandbox on a socket."""
