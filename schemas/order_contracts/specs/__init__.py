"""Documents generated from the contract, and the check that a change breaks none of them."""
