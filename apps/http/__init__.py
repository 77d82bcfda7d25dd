"""The HTTP server as vista objects: what this app can load, as data."""

CLASSES: dict[str, str] = {
    "HTTPcachedFile": "apps.http.objects.cached",
    "HTTPcachedObject": "apps.http.objects.cached",
    "HTTPcommonLogFormat": "apps.http.objects.logs",
    "HTTPdaemon": "apps.http.objects.daemon",
    "HTTPextendedLogFormat": "apps.http.objects.logs",
    "HTTPfastReceive": "apps.http.objects.receive",
    "HTTPpurgeCache": "apps.http.objects.cached",
    "HTTPrawCachedFile": "apps.http.objects.cached",
    "HTTPredirect": "apps.http.objects.redirect",
    "URLdirectory": "apps.http.objects.directory",
    "URLfileLoader": "apps.http.objects.loader",
}
"""Class name to the module that defines it; `AutomaticClassLoader` imports it when asked for."""
