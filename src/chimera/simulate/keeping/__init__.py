"""What a venue keeps across its own restart: `whole` joins what `futures` and `spot` each keep; `history` is theirs."""
