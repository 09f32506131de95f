"""What the API answers and takes, as types: the contract with the front end. No reading, no rules."""
