"""Server-side includes: pages that are put together from other pages, variables and objects.

==========================================  ========================================================
directive                                   what stands in its place
==========================================  ========================================================
``include file="a.html"``                   a document in or below the directory of this one
``include virtual="/a.html?query"``         a document by its address, decoded as a browser's
``echo var="NAME"``                         a variable; also ``encoding="entity|url|none"`` and
                                            ``default="..."``
``set var="NAME" value="..."``              nothing; sets a variable for the rest of the page
``if expr="..."``, ``elif expr="..."``,     the branch whose expression holds first, see
``else``, ``endif``                         `apps.http.content.ssi.expressions`
``config``                                  nothing; ``errmsg``, ``echomsg``, ``timefmt`` and
                                            ``sizefmt="abbrev|bytes"``
``fsize file|virtual="..."``                the size of a file
``flastmod file|virtual="..."``             when a file was changed
``printenv``                                every variable, one a line
``call object="..." method="..."``          what a method answers to its ``arg="..."``, escaped
                                            unless ``encoding`` says otherwise
==========================================  ========================================================

Written ``<!--#echo var="NAME" -->``. ``$NAME`` and ``${NAME}`` stand for variables in the values of
``file``, ``virtual``, ``value``, ``default``, ``arg`` and ``expr``; ``$0`` to ``$9`` for what the
last regular expression matched. Built in: ``DATE_GMT``, ``DATE_LOCAL``, ``DOCUMENT_NAME``,
``DOCUMENT_URI`` and ``LAST_MODIFIED``. Programs of the machine are never run: there is no ``exec``.
"""
