"""Stage 8: tells twistd that there is a command `lesson`, and in which module it is.

twistd imports every plugin whenever it starts, whatever it is to start. So this imports nothing of
ours: the module is named by a string.
"""

from twisted.application.service import ServiceMaker

lesson = ServiceMaker("lesson", "stage8_service", "The server of the lessons.", "lesson")
