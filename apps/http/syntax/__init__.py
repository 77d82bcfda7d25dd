"""The bytes of HTTP/1.1 and the rules of RFC 9110 and 9112: cores without socket, clock or disk."""
