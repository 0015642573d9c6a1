"""The agent envelope, version 1, as SPEC.md has it: a decoder, verifier and opener.

Written from SPEC.md and agent-envelope.cddl, without the crate's source, to show that the text
suffices. It is a reference for tests: nothing here runs in constant time.
"""
