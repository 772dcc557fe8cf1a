"""A provider to test against: a real HTTP server on loopback that speaks OpenRouter's or OpenAI's published protocol.

    from standin.server import Standin

    with Standin() as upstream:
        upstream.url  # http://127.0.0.1:PORT/api/v1

START READING in server.py. faults.py lists what can be made to go wrong, spec.py checks bodies against the published
OpenAPI, answers.py says how tokens are counted.
"""
