"""A cluster's topics, compared with the contract and made so."""
