"""Who gets which certificate: decide, sign, revoke, and keep the CA in order."""
