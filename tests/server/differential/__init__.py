"""The same requests for Puppet Server and for reseal, and what the former answers.

Guarantee: a case is data; nothing in here knows which server it is sent to.

Sources: the recordings in tests/data/server, made by `record.py` beside this file.
"""
