"""Looking at a server while it runs: `evapi-cfg top` and `evapi-cfg tap`. It is asked over its UNIX socket."""
