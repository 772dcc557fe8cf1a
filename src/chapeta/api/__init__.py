"""The gateway over HTTP, as OpenAI's API: bare ASGI, because every layer of a framework costs more than the work itself."""
