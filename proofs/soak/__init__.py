"""Real processes killed under load over real HTTP, judged by the venue's audit and the ledger's file (NN-5)."""
