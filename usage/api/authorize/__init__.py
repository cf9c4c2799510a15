"""GET and POST /v1/gate/authorize: the gate for proxies that ask about each request by headers alone."""
