"""What gunicorn reads at its start. The address comes from the command line: `--bind`."""

# A sync worker serves one request at a time. Two clients need two; the third is for `/health`.
workers = 3

# A worker that waits for a held statement is silent. The default kills it after 30 seconds.
timeout = 0

# The application is loaded before the workers are forked. So no worker's first request is slow.
preload_app = True

# The socket has a fixed place in the home folder. Two instances would fight for it.
control_socket_disable = True
