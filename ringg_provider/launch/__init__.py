"""Starting a list of people at most once: the protocol, the launch ledger, and how a campaign goes on."""
