"""HTTP/1.1 to providers: connections, streams of events, and a small GET for lists and keys."""
