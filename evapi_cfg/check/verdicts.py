"""What Kamailio itself does with a fault: the sentences that stand in a diagnostic's notes."""

from __future__ import annotations

REFUSED = "Kamailio refuses the file: `kamailio -c` reports it"
FAILS_AT_START = "`kamailio -c` does not see this, but Kamailio fails at start"
FAILS_AT_RUN = "Kamailio starts with this; when the line runs it logs an error and the call gives -1"
NO_ITEM_AT_RUN = "Kamailio starts with this; when the line runs it finds no item and keeps none"
LOGGED_AT_RUN = "Kamailio starts with this, and logs an error each time"
SILENT = "Kamailio says nothing about this"
LOGGED_AT_START = "Kamailio logs this at start and runs"
OURS = "this is a limit of evapi-cfg; Kamailio accepts it"
