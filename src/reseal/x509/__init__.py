"""Values and signatures: certificates, requests, revocation lists, keys.

Nothing here opens a file, a connection or looks at a clock.
"""
