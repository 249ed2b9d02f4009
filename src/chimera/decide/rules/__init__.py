"""L1: the rule language: a clause, a rule, a bundle of them, and what firing them says."""
