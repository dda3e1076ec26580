"""Does a server keep to HTTP/1.1? Requests as data, and what RFC 9110 and 9112 allow for answers.

Above the floors, and beside them: a client with sockets and threads that knows nothing of
tinyhttp's server. What reads answers here shares no line with what writes them there, else both
could be wrong in the same way. `tinyhttp.commands.conform` is the command.
"""
