"""The real and the scripted mail servers that the demo and the tests use."""
